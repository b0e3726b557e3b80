// --- the address: #words=..&cores=..&sort=table:column:down,..&cell=..
const form = document.getElementById("filter");

const remember = () => {
  const told = new URLSearchParams();
  if (state.words.length) told.set("words", state.words.join(" "));
  if (state.cores) told.set("cores", state.cores);
  const sorts = [...state.sort].map(([name, [column, down]]) => `${name}:${column}:${Number(down)}`);
  if (sorts.length) told.set("sort", sorts.join(";"));
  if (state.cell) told.set("cell", state.cell);
  const text = told.toString();
  history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
};

const update = () => {
  built.forEach(arrange);
  drawCharts();
};

const openCell = (key) => {
  if (!DATA.cells[key]) return;
  state.cell = key;
  remember();
  show(key);
};

const readAddress = () => {
  const text = decodeURIComponent(location.hash.slice(1));
  if (text.startsWith("cell-")) return openCell(text.slice(5));
  const target = text && !text.includes("=") ? document.getElementById(text) : null;
  if (target) {
    if (target.tagName === "DETAILS") target.open = true;
    return target.scrollIntoView();
  }
  const told = new URLSearchParams(location.hash.slice(1));
  state.words = (told.get("words") || "").toLowerCase().split(/\s+/).filter(Boolean);
  state.cores = told.get("cores") || "";
  state.sort = new Map((told.get("sort") || "").split(";").map((one) => one.split(":")).filter(([name, column]) => name in DATA.tables && Number(column) in DATA.tables[name].columns).map(([name, column, down]) => [name, [Number(column), down === "1"]]));
  state.cell = told.get("cell") || "";
  form.words.value = state.words.join(" ");
  form.cores.value = state.cores;
  update();
  if (DATA.cells[state.cell]) show(state.cell);
  else if (dialog.open) dialog.close();
};

const changed = () => {
  state.words = form.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  state.cores = form.cores.value;
  remember();
  update();
};

form.hidden = false;
form.addEventListener("input", changed);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(changed));
dialog.addEventListener("close", () => { state.cell = ""; remember(); });

document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a[href^='#']");
  if (!anchor) return;
  const name = anchor.getAttribute("href").slice(1), target = document.getElementById(name);
  event.preventDefault();  // the address keeps its state
  if (name.startsWith("cell-")) openCell(name.slice(5));
  else if (target) {
    if (dialog.open) dialog.close();
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView();
  }
});

// A folded table is built when it is opened first.
for (const box of document.querySelectorAll(".table")) {
  const folded = box.closest("details");
  if (!folded) buildTable(box);
  else folded.addEventListener("toggle", () => { if (folded.open) buildTable(box); });
}

let width = 0;
window.addEventListener("resize", () => {
  if (document.documentElement.clientWidth === width) return;
  width = document.documentElement.clientWidth;
  drawCharts();
});
window.addEventListener("hashchange", readAddress);
readAddress();
drawCharts();
