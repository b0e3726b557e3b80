const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const SVG_NAMES = new Set(["svg", "g", "rect", "line", "text", "circle", "title", "defs", "pattern", "path"]);

// What the address shows: filter words, P, table -> [column, down], open cell.
const state = {words: [], cores: "", sort: new Map(), cell: ""};

// Text from raw data only ever becomes text nodes and attributes, never markup.
const make = (name, attributes = {}, ...children) => {
  const node = SVG_NAMES.has(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

// Words match at the start of a word: `rf` finds rf_hpo, not pyperf.
const searchable = (text) => " " + text.toLowerCase().replace(/[^\p{L}\p{N}.]+/gu, " ").trim();
const matches = (text, cores) =>
  (!state.cores || cores === null || String(cores) === state.cores) && state.words.every((word) => text.includes(searchable(word)));

// --- tables: an entry is its text, or [text, sort value (null: absent), target]
const textOf = (entry) => (Array.isArray(entry) ? entry[0] : entry);
const sortOf = (entry) => (Array.isArray(entry) && entry[1] !== undefined && !(entry[1] === null && entry[2]) ? entry[1] : textOf(entry));

const order = (a, b, down) => {
  if (a === null || b === null) return (a === null) - (b === null);  // absent values stay at the end
  const sign = down ? -1 : 1;
  return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", {numeric: true}));
};

const showText = (text, column, table) => {
  const cut = text.indexOf(" [");
  if (table.numeric.includes(column) && cut > 0) return [text.slice(0, cut) + " ", make("span", {class: "interval"}, text.slice(cut + 1))];
  return [table.code.includes(column) && text !== "–" ? make("code", {}, text) : text];
};

const showEntry = (entry, column, table) => {
  const text = textOf(entry), target = Array.isArray(entry) ? entry[2] : undefined;
  const words = text.split(/[,: ]+/);
  const kind = ["verdict", "0.7–0.8"].includes(table.columns[column]) && DATA.verdicts.includes(words[0]) ? words.find((w) => /^(SUPPORTED|REFUTED)$/.test(w)) || words[0] : "";
  const cell = make("td", {"data-label": table.columns[column], class: (table.numeric.includes(column) ? "number" : "text") + (kind ? ` verdict ${kind.toLowerCase()}` : "")});
  const shown = showText(text, column, table);
  cell.append(make("span", {}, ...(target ? [make("a", {href: target, ...(target.startsWith("#cell-") ? {class: "cell"} : {})}, ...shown)] : shown)));
  return cell;
};

const built = new Map();  // table name -> {box, table, body, rows: [{data, node, text, cores}]}

const buildTable = (box) => {
  const name = box.dataset.table, table = DATA.tables[name];
  if (built.has(name)) return;
  const at = table.columns.indexOf("P");
  const body = make("tbody"), heads = make("tr");
  const about = (data) => (table.columns.includes("claim") ? DATA.claims[textOf(data[0]).split(":")[0]] || "" : "");
  const rows = table.rows.map((data) => ({
    data,
    node: make("tr", {}, ...data.map((entry, column) => showEntry(entry, column, table))),
    text: searchable([...data.map(textOf), about(data)].join(" ")),
    cores: at < 0 ? null : parseInt(textOf(data[at]), 10),
  }));
  table.columns.forEach((title, column) => {
    const button = make("button", {type: "button"}, title);
    button.addEventListener("click", () => {
      const before = state.sort.get(name);
      state.sort.set(name, [column, Boolean(before && before[0] === column && !before[1])]);
      arrange(built.get(name));
      remember();
    });
    heads.append(make("th", {scope: "col", ...(table.numeric.includes(column) ? {class: "number"} : {})}, button));
  });
  body.append(...rows.map((row) => row.node));
  const saves = make("span", {class: "saves"}, ...["CSV", "JSON"].map((kind) => {
    const button = make("button", {type: "button", "aria-label": `Download table ${name} as ${kind}`}, kind);
    button.addEventListener("click", () => save(built.get(name), kind.toLowerCase()));
    return button;
  }));
  box.querySelector(".above").append(saves);
  box.append(make("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": `Table ${name}`},
    make("table", {}, make("thead", {}, heads), body)));
  built.set(name, {name, box, table, body, rows});
  arrange(built.get(name));
};

// Sort and filter a table as the state says.
const arrange = ({name, box, table, body, rows}) => {
  const [column, down] = state.sort.get(name) || [-1, false];
  box.querySelectorAll("th").forEach((head, i) => {
    if (i === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  const sorted = column < 0 ? rows : [...rows].sort((a, b) => order(sortOf(a.data[column]), sortOf(b.data[column]), down));
  if (column >= 0) body.append(...sorted.map((row) => row.node));
  let shown = 0;
  for (const row of rows) {
    row.node.hidden = table.filter && !matches(row.text, row.cores);
    shown += row.node.hidden ? 0 : 1;
  }
  box.querySelector(".count").textContent = shown < rows.length ? `${shown} of ${rows.length} rows` : "";
  return sorted.filter((row) => !row.node.hidden);
};

// --- the shown rows of a table as a file; numbers beside their text
const quote = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const harmless = (text) => (/^[=@\t\r]/.test(text) ? `'${text}` : text);  // a spreadsheet would run it

const tableFile = (name, kind) => {
  const {table} = built.get(name), rows = arrange(built.get(name)).map((row) => row.data);
  const valued = table.columns.map((_, i) => table.numeric.includes(i) && rows.some((row) => typeof sortOf(row[i]) === "number"));
  const records = rows.map((row) => Object.fromEntries(row.flatMap((entry, i) => [
    [table.columns[i], textOf(entry)],
    ...(valued[i] ? [[`${table.columns[i]} (value)`, typeof sortOf(entry) === "number" ? sortOf(entry) : null]] : []),
  ])));
  if (kind === "json") return JSON.stringify({run: document.querySelector("meta[name=generator]").content, table: name, rows: records}, null, 1);
  const columns = table.columns.flatMap((title, i) => (valued[i] ? [title, `${title} (value)`] : [title]));
  const lines = records.map((record) => columns.map((title) => quote(harmless(String(record[title] ?? "")))).join(","));
  return [columns.map(quote).join(","), ...lines].join("\r\n") + "\r\n";
};

const save = ({name}, kind) => {
  const type = kind === "csv" ? "text/csv" : "application/json";
  const address = URL.createObjectURL(new Blob([tableFile(name, kind)], {type: `${type};charset=utf-8`}));
  make("a", {href: address, download: `${name.replace(/[^\w-]+/g, "-")}.${kind}`}).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
};
