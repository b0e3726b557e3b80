// --- charts, drawn at the width they are shown in, so that text keeps its size
const NARROW = 640;

const put = (svg, name, attributes, ...children) => { const node = make(name, attributes, ...children); svg.append(node); return node; };
const canvas = (width, height, label) => make("svg", {class: "plot", width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label});
const nameOf = (row) => `${row.workload} on ${row.backend}, P = ${row.cores}`;
const wanted = (row, more = "") => matches(searchable(`${row.workload} ${row.backend} ${more}`), row.cpus);

// A mark that opens its cell, by pointer or keyboard.
const link = (row, words, ...children) => {
  const node = make("g", {class: "point", tabindex: "0", role: "button", "data-cell": row.cell, "aria-label": words}, make("title", {}, words), ...children);
  const open = () => openCell(row.cell);
  node.addEventListener("click", open);
  node.addEventListener("keydown", (event) => { if (["Enter", " "].includes(event.key)) { event.preventDefault(); open(); } });
  return node;
};

const legend = (...entries) => make("p", {class: "legend"}, ...entries.map(([kind, text]) => {
  const key = make("svg", {width: 26, height: 12, "aria-hidden": "true"});
  if (kind === "band") put(key, "rect", {class: "band", width: 26, height: 12});
  else if (kind === "ceiling") put(key, "line", {class: "ceiling", x1: 4, x2: 22, y1: 6, y2: 6});
  else if (kind.startsWith("part")) put(key, "rect", {class: kind, width: 26, height: 12});
  else put(key, "circle", {class: kind, cx: 13, cy: 6, r: 5});
  return make("span", {}, key, ` ${text}`);
}));

const empty = (box) => box.replaceChildren(make("p", {class: "caption"}, "Nothing here matches the filter."));

// Whisker and dot; an end that is infinite (null) runs to the edge.
const interval = (x, y, [point, low, high], kind, edge) => [
  make("line", {class: `whisker ${kind}${low === null || high === null ? " open" : ""}`, x1: low === null ? edge[0] : x(low), x2: high === null ? edge[1] : x(high), y1: y, y2: y}),
  make("circle", {class: kind, cx: x(point), cy: y, r: 5}),
];

const short = (estimate) => (estimate ? estimate[3].split(" ")[0] : "");

const forest = (box, chart) => {
  const groups = chart.groups.map((g) => ({...g, rows: g.rows.filter((row) => wanted(row, g.kind))})).filter((g) => g.rows.length);
  const rows = groups.flatMap((g) => g.rows);
  if (!rows.length) return empty(box);
  const width = box.clientWidth, narrow = width < NARROW, step = narrow ? 42 : 26;
  const left = narrow ? 14 : 210, right = narrow ? 14 : 250, top = 8;
  const ends = rows.flatMap((row) => [row.warm, row.cold].filter(Boolean).flatMap((e) => e.slice(0, 3))).filter((v) => v > 0);
  const low = Math.min(...ends, 0.8) * 0.93, high = Math.max(...ends, 1.25) * 1.07;
  const x = (v) => left + (Math.log(v / low) / Math.log(high / low)) * (width - left - right);
  const height = top + (rows.length + groups.length) * step + 44, svg = canvas(width, height, "Speedup by workload");
  const bottom = height - 40;
  let last = -Infinity;
  for (const tick of [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8, 16, 32, 64, 128].filter((t) => t >= low && t <= high)) {
    put(svg, "line", {class: tick === 1 ? "one" : "grid", x1: x(tick), x2: x(tick), y1: top, y2: bottom});
    if (x(tick) - last < 34) continue;
    put(svg, "text", {x: x(tick), y: bottom + 16, "text-anchor": "middle"}, `${tick}x`);
    last = x(tick);
  }
  put(svg, "text", {class: "soft", x: (left + width - right) / 2, y: bottom + 34, "text-anchor": "middle"},
    narrow ? "speedup; right of 1x is faster" : "speedup over the sequential baseline; right of 1x is faster");
  let y = top;
  for (const group of groups) {
    y += step;
    put(svg, "text", {class: "strong", x: narrow ? 0 : left - 12, y: y - 8, "text-anchor": narrow ? "start" : "end"}, group.kind);
    for (const row of group.rows) {
      const middle = y + (narrow ? 29 : step / 2), told = [short(row.warm), short(row.cold)].filter(Boolean).join(" / ");
      const [b0, b1] = chart.band.map((share) => Math.min(high, Math.max(low, share * row.cpus)));
      if (b1 > b0) put(svg, "rect", {class: "band", x: x(b0), width: x(b1) - x(b0), y: narrow ? middle - 9 : y, height: narrow ? 18 : step});
      const words = `${nameOf(row)}: warm ${row.warm[3]}${row.cold ? `, with start-up ${row.cold[3]}` : ""}`;
      const edge = [left, width - right];
      svg.append(link(row, words,
        make("rect", {class: "hit", x: 0, y, width, height: step}),
        ...(row.cold ? interval(x, middle, row.cold, "hollow", edge) : []), ...interval(x, middle, row.warm, "warm", edge),
        ...(narrow
          ? [make("text", {x: 0, y: y + 13}, `${row.workload}, ${row.backend}`), make("text", {x: width, y: y + 13, "text-anchor": "end"}, told)]
          : [make("text", {x: left - 12, y: middle + 4, "text-anchor": "end"}, row.workload), make("text", {x: width - right + 12, y: middle + 4}, `${row.backend} ${told}`)])));
      y += step;
    }
  }
  box.replaceChildren(legend(["warm", "warm"], ["hollow", "with start-up"], ["band", `efficiency ${chart.band.join(" to ")}`]), svg);
};

const efficiency = (box, chart) => {
  const kinds = [...new Set(chart.panels.flatMap((p) => p.lines.map((line) => line.kind)))];
  const panels = chart.panels.map(({backend, lines}) => ({backend, lines: lines.map((line) => ({...line, points: line.points.filter((p) => wanted(p, line.kind))})).filter((line) => line.points.length)})).filter((p) => p.lines.length);
  if (!panels.length) return empty(box);
  const points = panels.flatMap((p) => p.lines.flatMap((line) => line.points));
  const counts = [...new Set(points.map((p) => p.cpus))].sort((a, b) => a - b);
  const most = Math.min(2, Math.max(1.2, ...points.map((p) => Math.max(p.share[0], Math.min(p.share[2] ?? 0, 1.6))))) * 1.04;
  const columns = Math.max(1, Math.min(panels.length, Math.floor(box.clientWidth / 260))), width = Math.floor((box.clientWidth - 14 * (columns - 1)) / columns);
  const left = 34, height = 240, top = 26, bottom = height - 36;
  // Each P gets room for the most marks that any panel has there.
  const marksAt = (lines, cpus) => lines.filter((line) => line.points.some((p) => p.cpus === cpus)).length;
  const room = counts.map((cpus) => 1.5 + Math.max(...panels.map((p) => marksAt(p.lines, cpus))));
  const unit = (width - left - 4) / room.reduce((a, b) => a + b, 0);
  const starts = room.map((_, i) => left + unit * room.slice(0, i).reduce((a, b) => a + b, 0));
  const y = (share) => bottom - (Math.min(share, most) / most) * (bottom - top);
  const grid = make("div", {class: "panels"});
  for (const {backend, lines} of panels) {
    const svg = canvas(width, height, `Efficiency of ${backend}`);
    put(svg, "text", {class: "strong", x: left, y: 15}, backend);
    put(svg, "rect", {class: "band", x: left, width: width - left, y: y(chart.band[1]), height: y(chart.band[0]) - y(chart.band[1])});
    for (let share = 0; share <= most; share += 0.2) {
      put(svg, "line", {class: Math.abs(share - 1) < 1e-9 ? "one" : "grid", x1: left, x2: width, y1: y(share), y2: y(share)});
      put(svg, "text", {x: left - 6, y: y(share) + 4, "text-anchor": "end"}, share.toFixed(1));
    }
    counts.forEach((cpus, i) => put(svg, "text", {x: starts[i] + (unit * room[i]) / 2, y: bottom + 16, "text-anchor": "middle"}, `P = ${cpus}`));
    const ordered = [...lines].sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
    const beside = counts.map(() => 0);
    ordered.forEach((line) => {
      const at = new Map(line.points.map((p) => {
        const i = counts.indexOf(p.cpus), wide = room[i] - marksAt(ordered, p.cpus);
        beside[i] += 1;
        return [p, starts[i] + unit * (beside[i] - 0.5 + wide / 2)];
      }));
      const colour = `kind${kinds.indexOf(line.kind) % 7}`;
      put(svg, "path", {class: `join ${colour}`, d: line.points.map((p, i) => `${i ? "L" : "M"}${at.get(p)} ${y(p.share[0])}`).join("")});
      for (const p of line.points) {
        const x = at.get(p), [share, low, high, text] = p.share;
        svg.append(link(p, `${nameOf(p)} (${line.kind}): efficiency ${text}${p.ceiling === null ? "" : `, hardware ceiling ${p.ceiling}`}`,
          make("rect", {class: "hit", x: x - 6, y: y(share) - 12, width: 12, height: 24}),
          make("line", {class: `whisker ${colour}${low === null || high === null ? " open" : ""}`, x1: x, x2: x, y1: y(low ?? 0), y2: y(high ?? most)}),
          ...(p.ceiling === null ? [] : [make("line", {class: "ceiling", x1: x - 5, x2: x + 5, y1: y(p.ceiling), y2: y(p.ceiling)})]),
          make("circle", {class: colour, cx: x, cy: y(share), r: 4})));
      }
    });
    grid.append(svg);
  }
  const marks = kinds.map((kind, i) => [`kind${i % 7}`, kind]);
  const ceiling = points.some((p) => p.ceiling !== null) ? [["ceiling", "hardware ceiling"]] : [];
  box.replaceChildren(legend(...marks, ["band", `${chart.band.join(" to ")}`], ...ceiling), grid);
};

const shares = (box, chart) => {
  const rows = chart.rows.filter((row) => wanted(row));
  if (!rows.length) return empty(box);
  const width = box.clientWidth, narrow = width < NARROW, step = narrow ? 36 : 21, left = narrow ? 0 : 300;
  const height = rows.length * step + 6, svg = canvas(width, height, "Shares of the core-seconds");
  const used = chart.parts.map((_, i) => i).filter((i) => rows.some((row) => row.shares[i] > 1e-4));
  const most = Math.max(1, ...rows.map((row) => row.shares.reduce((a, b) => a + b, 0)));
  rows.forEach((row, i) => {
    const top = i * step + (narrow ? 17 : 3);
    let at = left;
    const bars = used.map((part) => {
      const long = (row.shares[part] / most) * (width - left - 2), bar = make("rect", {class: `part${part}`, x: at, y: top, width: long, height: 15});
      at += long;
      return bar;
    });
    const words = `${nameOf(row)}: ${used.map((part) => `${chart.parts[part]} ${(100 * row.shares[part]).toFixed(1)} %`).join(", ")}`;
    svg.append(link(row, words, make("rect", {class: "hit", x: 0, y: i * step, width, height: step}),
      make("text", narrow ? {x: 0, y: top - 4} : {x: left - 8, y: top + 12, "text-anchor": "end"}, `${row.workload}, ${row.backend}, P=${row.cores}`), ...bars));
  });
  box.replaceChildren(legend(...used.map((part) => [`part${part}`, chart.parts[part]])), make("div", {class: "tall", tabindex: "0", role: "region", "aria-label": "Bars of all cells"}, svg));
};

const CHARTS = {forest, efficiency, "core-seconds": shares};

const drawCharts = () => {
  for (const box of document.querySelectorAll(".drawn")) {
    if (box.clientWidth) CHARTS[box.dataset.chart](box, DATA.charts[box.dataset.chart]);
  }
};
