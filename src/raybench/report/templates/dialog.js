// --- one cell
const list = (pairs) => make("dl", {}, ...pairs.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
const round = (x) => (x === null || x === undefined ? "–" : typeof x === "number" ? String(Number(x.toPrecision(5))) : String(x));
const room = () => Math.min(900, Math.max(300, document.getElementById("detail-body").clientWidth));  // of a chart
const tick = (span, most) => {
  const rough = span / most, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((k) => k * power).find((step) => step >= rough);
};
const axis = (svg, from, to, x, top, bottom) => {
  const step = tick(to - from, Math.max(2, Math.min(6, Math.floor((x(to) - x(from)) / 80))));
  for (let k = Math.ceil(from / step - 1e-9); k * step <= to + 1e-9; k += 1) {
    const at = Number((k * step).toPrecision(6));
    svg.append(make("line", {x1: x(at), x2: x(at), y1: top, y2: bottom, stroke: "#e2e2e2"}),
      make("text", {x: x(at), y: bottom + 14, "text-anchor": "middle"}, `${at} s`));
  }
};

const STYLES = {"done": ["#0072B2", null], "fewer steps": ["#56B4E9", "stopped"], "failed": ["#D55E00", "failed"],
  "unknown": ["#7F7F7F", null]};
const gantt = (chart) => {
  const lane = Math.max(10, Math.min(26, 420 / chart.lanes)), left = 64, right = 20, top = 26, width = room();
  const bottom = top + lane * chart.lanes + 4;
  const from = -chart.before, to = chart.makespan || 1e-6;
  const x = (t) => left + ((t - from) / (to - from)) * (width - left - right);
  const svg = make("svg", {class: "chart", viewBox: `0 0 ${width} ${bottom + 24}`, role: "img",
    "aria-label": `Tasks of ${chart.lanes} workers over ${round(to)} seconds`});
  svg.append(make("defs", {},
    make("pattern", {id: "stopped", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)"},
      make("rect", {width: 5, height: 5, fill: "#56B4E9"}), make("rect", {width: 2, height: 5, fill: "#ffffff"})),
    make("pattern", {id: "failed", width: 6, height: 6, patternUnits: "userSpaceOnUse"},
      make("rect", {width: 6, height: 6, fill: "#D55E00"}), make("path", {d: "M0 0L6 6M6 0L0 6", stroke: "#ffffff"}))));
  if (chart.before > 0) {
    svg.append(make("rect", {x: x(from), y: top - 4, width: x(0) - x(from), height: bottom - top + 4, fill: "#ececec"}));
    if (x(0) - x(from) > 110) svg.append(make("text", {x: x(from) + 4, y: top + 10}, "start-up, warm-up"));
  }
  axis(svg, from, to, x, top - 4, bottom);
  for (let i = 0; i < chart.lanes; i += 1) svg.append(make("text", {x: 6, y: top + lane * (i + 0.5) + 4}, `worker ${i}`));
  for (const [index, worker, start, end, kind, tries] of chart.tasks) {
    const [colour, pattern] = STYLES[kind];
    const words = `task ${index}: ${round(start)} to ${round(end)} s, ${kind}${tries > 1 ? `, ${tries} tries` : ""}`;
    svg.append(make("rect", {x: x(start), y: top + lane * worker + 2, width: Math.max(0.8, x(end) - x(start)), height: lane - 4,
      fill: pattern ? `url(#${pattern})` : colour, stroke: "#ffffff", "stroke-width": 0.5}, make("title", {}, words)));
  }
  let at = left;
  for (const kind of Object.keys(STYLES).filter((k) => chart.tasks.some((t) => t[4] === k))) {
    svg.append(make("rect", {x: at, y: 5, width: 14, height: 10, fill: STYLES[kind][1] ? `url(#${STYLES[kind][1]})` : STYLES[kind][0]}),
      make("text", {x: at + 19, y: 14}, kind));
    at += 50 + 7 * kind.length;
  }
  return svg;
};

const strip = (samples, fields) => {
  const at = (name) => fields.indexOf(name);
  const good = samples.filter((s) => s[at("makespan")] > 0);
  if (!good.length) return null;
  const blocks = [...new Set(good.map((s) => s[at("block")]))].sort((a, b) => a - b);
  const row = 16, left = 64, right = 20, top = 12, width = room(), bottom = top + row * blocks.length;
  const times = good.map((s) => s[at("makespan")]);
  const low = Math.min(...times), high = Math.max(...times), pad = (high - low) * 0.08 || low * 0.05;
  const x = (t) => left + ((t - low + pad) / (high - low + 2 * pad)) * (width - left - right);
  const svg = make("svg", {class: "chart", viewBox: `0 0 ${width} ${bottom + 24}`, role: "img", "aria-label": "Makespan of each measurement, by block"});
  axis(svg, low - pad, high + pad, x, top - 6, bottom);
  blocks.forEach((block, i) => svg.append(make("text", {x: 6, y: top + row * i + 11}, `block ${block}`)));
  for (const s of good) {
    const ok = s[at("status")] === "ok";
    svg.append(make("circle", {cx: x(s[at("makespan")]), cy: top + row * (blocks.indexOf(s[at("block")]) + 0.45), r: 4.5,
      fill: ok ? "#0072B2" : "#ffffff", stroke: ok ? "#ffffff" : "#D55E00", "stroke-width": ok ? 0.8 : 2},
    make("title", {}, `${round(s[at("makespan")])} s, replica ${s[at("replica")]}, attempt ${s[at("attempt")]}, ${s[at("status")]}`)));
  }
  return svg;
};

// Steps of this cell's task times among those of the same workload, on a logarithmic axis.
const distribution = (key, workload) => {
  const lines = DATA.durations[workload] || [];
  if (!lines.some(([cell]) => cell === key)) return null;
  const width = room(), height = 240, left = 64, right = 20, top = 10, bottom = height - 30;
  const times = lines.flatMap(([, , steps]) => steps.map(([, seconds]) => seconds)).filter((t) => t > 0);
  const low = Math.min(...times) * 0.95, high = Math.max(...times) * 1.05;
  const x = (t) => left + (Math.log(Math.max(t, low) / low) / Math.log(high / low)) * (width - left - right);
  const y = (share) => bottom - share * (bottom - top);
  const svg = make("svg", {class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Distribution of task times"});
  for (const share of [0, 0.5, 1]) {
    svg.append(make("line", {x1: left, x2: width - right, y1: y(share), y2: y(share), stroke: "#e2e2e2"}), make("text", {x: left - 8, y: y(share) + 4, "text-anchor": "end"}, `${100 * share} %`));
  }
  const most = width < 600 ? 2 : 4;
  for (let i = 0; i <= most; i += 1) {
    const t = low * (high / low) ** (i / most);
    svg.append(make("text", {x: x(t), y: bottom + 18, "text-anchor": i === 0 ? "start" : i === most ? "end" : "middle"}, `${Number(t.toPrecision(3))} s`));
  }
  const rank = ([cell, , , base]) => (cell === key ? 2 : base ? 1 : 0);
  for (const line of [...lines].sort((a, b) => rank(a) - rank(b))) {
    const [, name, steps] = line, kind = rank(line);
    const path = steps.map(([share, seconds], i) => (i ? `H${x(seconds).toFixed(1)}V${y(share).toFixed(1)}` : `M${x(seconds).toFixed(1)} ${y(0)}V${y(share).toFixed(1)}`)).join("");
    svg.append(make("path", {d: path, fill: "none", stroke: ["#b9bec6", "#333333", "#0072B2"][kind], "stroke-width": kind ? 2 : 1.2, ...(kind === 1 ? {"stroke-dasharray": "6 4"} : {})}, make("title", {}, name)));
  }
  return svg;
};

const table = (fields, rows) => {
  const used = fields.map((_, i) => i).filter((i) => rows.some((row) => row[i] !== null && row[i] !== ""));
  const head = make("tr", {}, ...used.map((i) => make("th", {scope: "col"}, fields[i])));
  const body = rows.map((row) => make("tr", {}, ...used.map((i) =>
    make("td", {class: typeof row[i] === "number" ? "number" : ""}, typeof row[i] === "string" ? row[i] : round(row[i])))));
  return make("div", {class: "scroll", tabindex: "0"}, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
};

const dialog = document.getElementById("detail");
const show = (key) => {
  const cell = DATA.cells[key];
  if (!cell) return;
  document.getElementById("detail-title").textContent = cell.title;
  const body = document.getElementById("detail-body");
  body.replaceChildren();
  if (!dialog.open) dialog.showModal();  // first: charts take its width
  for (const about of cell.about) body.append(make("p", {}, about));
  body.append(list([["status", cell.status], ...cell.numbers]));
  body.append(make("h3", {}, "Repeat it"), make("pre", {}, make("code", {}, cell.command)));
  if (cell.chart) {
    const left = cell.chart["left out"];
    body.append(make("h3", {}, `Tasks over time: block ${cell.chart.block}, the measurement with the median time`), gantt(cell.chart),
      make("p", {class: "caption"}, "Seconds since the first dispatch, warm; stamps were taken in the workers; white is idle." +
        (left ? ` The first tasks only: ${left} more are in the raw data.` : "")));
  }
  const dots = strip(cell.samples, DATA.fields);
  if (dots) {
    body.append(make("h3", {}, "Every measurement"), dots,
      make("p", {class: "caption"}, "Makespan, warm, one row per block; hollow: not used, its status says why."));
  }
  const spread = distribution(key, cell.workload);
  if (spread) {
    body.append(make("h3", {}, "How long its tasks took"), spread,
      make("p", {class: "caption"}, "Share of tasks that took at most so long, warm, stamped in the workers, all blocks together; dashed: " +
        "the sequential baseline, grey: other backends on this workload. The distance to the baseline is what contention costs."));
  }
  if (cell.samples.length) body.append(make("h3", {}, "Raw samples, in seconds"), table(DATA.fields, cell.samples));
  body.append(make("h3", {}, "What it is"), list([["workload", cell.target[0]], ["backend", cell.target[1]], ["version", cell.version || "–"],
    ["parameters", JSON.stringify(cell.parameters)], ["key", key]]));
  body.append(make("p", {}, "Machine and versions: ", make("a", {href: "#facts"}, "everything that was recorded"), "."));
  dialog.scrollTop = 0;
};

