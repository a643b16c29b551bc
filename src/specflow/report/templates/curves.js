// Curves of all runs: one quantity at a time, values under the pointer, zoom by dragging.
function drawCurves(place) {
  "use strict";
  const HEIGHT = 260, LEFT = 58, RIGHT = 26, TOP = 10, BOTTOM = 34;
  const panels = JSON.parse(place.querySelector("script").textContent);
  const rounded = (value, digits) => Number(value.toPrecision(digits)).toString().replace("-", "\u2212");
  const number = value => rounded(value, 3);
  const exact = value => rounded(value, 12); // ticks, of which two would be one with fewer digits

  // A scale maps values to 0..1 and knows its ticks.
  function linearScale(low, high) {
    const step = [1, 2, 5, 10].map(factor => factor * 10 ** Math.floor(Math.log10((high - low) / 5)))
      .find(size => (high - low) / size <= 6);
    const first = Math.ceil(low / step);
    const count = Math.floor(high / step + 1e-9) - first + 1;
    return {
      at: value => (value - low) / (high - low),
      ticks: Array.from({ length: count }, (_, k) => Number(((first + k) * step).toPrecision(12))),
    };
  }
  function logScale(low, high, offset) {  // of value + offset, so that step 0 has a place
    const log = value => Math.log10(value + offset);
    const powers = Array.from({ length: 30 }, (_, k) => 10 ** (k - 15));
    const within = powers.filter(power => power >= low && power <= high);
    const ticks = within.length > 1 ? within : linearScale(low, high).ticks;
    return {
      at: value => (log(value) - log(low)) / (log(high) - log(low)),
      ticks: offset && low === 0 ? [0, ...ticks.filter(tick => tick >= 1)] : ticks,
    };
  }

  const make = (name, attributes = {}, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };
  const labelled = (text, input) => {
    const label = document.createElement("label");
    label.append(input, ` ${text}`);
    return label;
  };
  const box = () => Object.assign(document.createElement("input"), { type: "checkbox" });

  const choice = document.createElement("select");
  choice.setAttribute("aria-label", "Quantity");
  panels.forEach((panel, k) => choice.add(new Option(panel.title, k)));
  const logX = box(), logY = box();
  const whole = Object.assign(document.createElement("button"), { textContent: "whole range" });
  const tools = document.createElement("div");
  tools.className = "tools";
  tools.append(choice, labelled("logarithmic steps", logX), labelled("logarithmic values", logY), whole);
  const svg = make("svg", { tabindex: 0, role: "img", height: HEIGHT });
  const told = document.createElement("output");
  place.append(tools, svg, told);

  let range = null, view = null, chosen = null;

  function draw() {
    const panel = panels[choice.value];
    const width = svg.clientWidth;
    if (!width) return;  // in a closed fold
    const points = panel.points;
    const [low, high] = range ?? [points[0], points.at(-1)];
    const seen = points.map((point, k) => k).filter(k => points[k] >= low && points[k] <= high);
    const values = panel.curves.flatMap(curve => seen.map(k => curve.values[k]))
      .filter(value => value !== null && (!logY.checked || value > 0));
    let [bottom, top] = [Math.min(...values), Math.max(...values)];
    if (!(top > bottom)) [bottom, top] = [bottom - 1e-3, bottom + 1e-3];
    const x = logX.checked ? logScale(low, Math.max(high, low + 1), 1) : linearScale(low, Math.max(high, low + 1));
    const y = logY.checked && bottom > 0 ? logScale(bottom, top, 0) : linearScale(bottom, top);
    const toX = value => LEFT + x.at(value) * (width - LEFT - RIGHT);
    const toY = value => HEIGHT - BOTTOM - y.at(value) * (HEIGHT - TOP - BOTTOM);
    const series = [...new Set(panel.curves.map(curve => curve.series))];

    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.setAttribute("aria-label", `${panel.title} by ${panel.x}; arrow keys tell values`);
    for (const tick of y.ticks) {
      svg.append(make("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: toY(tick), y2: toY(tick) }));
      svg.append(make("text", { x: LEFT - 6, y: toY(tick) + 4, "text-anchor": "end" }, exact(tick)));
    }
    let last = -Infinity;
    for (const tick of x.ticks) {
      if (toX(tick) - last < 44) continue;
      last = toX(tick);
      svg.append(make("text", { x: last, y: HEIGHT - 18, "text-anchor": "middle" }, exact(tick)));
    }
    svg.append(make("text", { x: (LEFT + width) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, panel.x));
    for (const curve of panel.curves) {
      let path = "", gap = true;
      for (const k of seen) {
        const value = curve.values[k];
        if (value === null || (logY.checked && value <= 0)) { gap = true; continue; }
        path += `${gap ? "M" : "L"}${toX(points[k]).toFixed(1)} ${toY(value).toFixed(1)}`;
        gap = false;
      }
      svg.append(make("path", { class: `series-${series.indexOf(curve.series) % 4}`, d: path }));
    }
    const pointer = make("line", { class: "pointer", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    const zoomed = make("rect", { class: "zoomed", y: TOP, height: HEIGHT - TOP - BOTTOM, visibility: "hidden" });
    svg.append(pointer, zoomed);
    view = { width, panel, points, seen, series, toX, pointer, zoomed };
    whole.disabled = range === null;
    tell(null);
  }

  // Tells the values of all runs at a point; without one, which colour is what.
  function tell(point) {
    const { panel, points, series, toX, pointer } = view;
    chosen = point;
    pointer.setAttribute("visibility", point === null ? "hidden" : "visible");
    if (point !== null) {
      pointer.setAttribute("x1", toX(points[point]));
      pointer.setAttribute("x2", toX(points[point]));
    }
    told.replaceChildren(point === null ? "" : `${panel.x} ${points[point]}: `);
    if (point === null && panel.curves.length === 1) return;
    series.forEach((name, k) => {
      const mark = document.createElement("b");
      mark.className = `series-${k % 4}`;
      mark.textContent = `\u2014 ${name} `;
      const own = panel.curves.filter(curve => curve.series === name);
      const values = own.map(curve => curve.values[point]).filter(value => value != null);
      const runs = [...new Set(own.map(curve => curve.run))].join(", ");
      told.append(mark, point === null ? `(${runs}) ` : `${values.map(number).join(" / ") || "\u2014"} `);
    });
  }

  const drawn = () => {
    if (!view) draw();
    return view !== null;
  };
  const across = event => event.clientX - svg.getBoundingClientRect().left;
  const nearest = position => view.seen.reduce((best, k) =>
    Math.abs(view.toX(view.points[k]) - position) < Math.abs(view.toX(view.points[best]) - position) ? k : best);
  let from = null;
  svg.addEventListener("pointerdown", event => {
    from = across(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", event => {
    if (!drawn()) return;
    tell(nearest(across(event)));
    if (from === null) return;
    view.zoomed.setAttribute("visibility", "visible");
    view.zoomed.setAttribute("x", Math.min(from, across(event)));
    view.zoomed.setAttribute("width", Math.abs(across(event) - from));
  });
  svg.addEventListener("pointerup", event => {
    if (from === null || !drawn()) return;
    const ends = [nearest(from), nearest(across(event))].map(k => view.points[k]).sort((a, b) => a - b);
    if (Math.abs(across(event) - from) > 8 && ends[1] > ends[0]) range = ends;
    from = null;
    draw();
  });
  svg.addEventListener("pointercancel", () => { from = null; draw(); });
  svg.addEventListener("pointerleave", () => { if (view && from === null) tell(null); });
  svg.addEventListener("keydown", event => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move || !drawn()) return;
    event.preventDefault();
    const at = chosen === null ? (move > 0 ? -1 : view.seen.length) : view.seen.indexOf(chosen);
    tell(view.seen[Math.max(0, Math.min(view.seen.length - 1, at + move))]);
  });
  const reset = () => { range = null; draw(); };
  svg.addEventListener("dblclick", reset);
  whole.addEventListener("click", reset);
  choice.addEventListener("change", reset);
  logX.addEventListener("change", draw);
  logY.addEventListener("change", draw);
  new ResizeObserver(() => { if (view?.width !== svg.clientWidth) draw(); }).observe(svg);
}
