// The edge view: draws `data` into `root`. No library, no network; text only ever as text.
(function (root, data) {
  const MARGIN = 8, PORTS = { q: "query", k: "key", v: "value" }, MOST_ROWS = 20;  // rows of the table
  const { nodes, roles, places, connections, colours } = data;
  const rows = Math.max(...places.map((place) => place[0])), columns = Math.max(...places.map(([, center, span]) => center + Math.max(span, 1) / 2));
  const BOX = roles.some((role) => role) ? 36 : 24, GAP = Math.max(BOX + 26, Math.min(130, 640 / Math.max(1, rows)));
  const height = 2 * MARGIN + BOX + GAP * rows, largest = Math.max(...connections.map((edge) => Math.abs(edge[3]))) || 1;
  const named = (node) => visible(nodes[node]) + (roles[node] ? ` (${visible(roles[node])})` : "");
  const upward = connections.map((_, i) => i).sort((a, b) => places[connections[a][0]][0] - places[connections[b][0]][0]);
  const downward = connections.map((_, i) => i).sort((a, b) => places[connections[b][1]][0] - places[connections[a][1]][0]);
  const state = { size: data.size, ablated: data.ablated, hover: null, edge: null, focus: null, current: 0 };
  let width = 0, step = 0, drawn = [], live = new Set();  // drawn: numbers of connections; live: those on a path
  const x = (node) => MARGIN + step * places[node][1], y = (node) => height - MARGIN - BOX / 2 - GAP * places[node][0];
  const half = (node) => places[node][2] ? step * places[node][2] / 2 - 2 : Math.min(step - 4, Math.max(40, 0.32 * step, 8 * nodes[node].length + 10, 7.2 * roles[node].length + 10)) / 2;

  root.replaceChildren();
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "edge view");
  root.addEventListener("focusin", ({ target }) => target.setAttribute("data-lm-suppress-shortcuts", "true"));  // JupyterLab leaves keys to it
  const bar = add(root, "div"), told = add(root, "div"), about = add(root, "div"), scroll = add(root, "div"), legend = add(root, "p");
  const label = add(bar, "label", "edges kept "), slider = add(label, "input"), count = add(bar, "span"), measured = add(told, "div"), without = add(told, "div");
  bar.style.cssText = "display: flex; flex-wrap: wrap; gap: 0.4em 1.2em; align-items: center; margin: 0.4em 0";
  Object.assign(slider, { type: "range", min: 0, max: connections.length, step: 1, value: state.size });
  slider.style.cssText = "width: 320px; max-width: 60vw; vertical-align: middle";
  slider.oninput = () => { state.size = Number(slider.value); draw(); };
  count.style.fontVariantNumeric = "tabular-nums";
  told.setAttribute("aria-live", "polite");
  scroll.style.cssText = "overflow-x: auto";
  const svg = element("svg", { role: "group", "aria-label": "components of the model: arrow keys choose one, Enter ablates it" }, scroll);
  const mask = element("mask", { id: `${root.id}-mask`, maskUnits: "userSpaceOnUse" }, svg);  // edges pass behind nodes, on a page of any colour
  const lines = element("g", { mask: `url(#${root.id}-mask)` }, svg), boxes = element("g", {}, svg), ports = element("g", { "pointer-events": "none" }, svg);
  legend.style.cssText = "display: flex; flex-wrap: wrap; gap: 0.2em 1.4em; margin: 0.4em 0; font-size: 0.9em";
  swatch("positive score", { stroke: colours.above, "stroke-width": 4 });
  swatch("negative score", { stroke: colours.below, "stroke-width": 4 });
  const aside = swatch("", { stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": "4 4", "stroke-opacity": 0.6 });
  add(legend, "span", "width: |score|; read from bottom to top");
  if (connections.some((edge) => edge[2])) add(legend, "span", "query, key and value enter a head at its left, middle and right");
  const details = add(root, "details"), box = (add(details, "summary", "as a table"), add(details, "div")), table = add(box, "table");
  box.style.cssText = "height: 18em; overflow-y: auto";
  box.tabIndex = 0;
  root.onpointerover = (event) => point(event.target.closest("[data-node]"), event.target.closest("[data-edge]"));
  root.onpointerleave = () => point(null, null);
  scroll.addEventListener("focusin", (event) => focusOn(event.target.closest("[data-node]")));
  scroll.addEventListener("focusout", () => focusOn(null));
  svg.onclick = (event) => {
    const node = event.target.closest("[data-node]");
    if (node) ablate(Number(node.dataset.node));
  };
  svg.onkeydown = (event) => {
    const node = state.current, keys = { ArrowLeft: () => go(node, 0, -1), ArrowRight: () => go(node, 0, 1), ArrowUp: () => go(node, 1, 0), ArrowDown: () => go(node, -1, 0),
                                         Enter: () => ablate(node), " ": () => ablate(node), Escape: () => ablate(null) };
    if (!keys[event.key]) return;
    event.preventDefault(); event.stopPropagation();
    Object.assign(state, { hover: null, edge: null });  // a pointer at rest does not outrank the keys
    keys[event.key]();
  };
  new ResizeObserver(() => { if (scroll.clientWidth && scroll.clientWidth !== width) { resize(); draw(); } }).observe(scroll);
  resize();
  draw();

  function ablate(node) {
    if (node !== null && places[node][2]) return;  // the embedding and the logits are no choice
    state.ablated = state.ablated === node ? null : node;
    draw();
  }
  function point(node, edge) {
    const next = node ? Number(node.dataset.node) : null, line = edge ? Number(edge.dataset.edge) : null;
    if (next !== state.hover || line !== state.edge) { Object.assign(state, { hover: next, edge: line }); paint(); }
  }
  function focusOn(node) {
    state.focus = node ? Number(node.dataset.node) : null;
    if (node) state.current = state.focus;
    paint();
  }
  function go(node, up, right) {  // to the nearest node of the next row, or of the same row
    const others = nodes.map((_, i) => i).filter((i) => places[i][0] === places[node][0] + up && (up || (places[i][1] - places[node][1]) * right > 0));
    others.sort((a, b) => Math.abs(places[a][1] - places[node][1]) - Math.abs(places[b][1] - places[node][1]));
    if (others.length) boxes.querySelector(`[data-node="${others[0]}"]`).focus();
  }
  function resize() {
    const focused = state.focus;
    width = scroll.clientWidth;
    [[told, 150 + data.title.length, 1], [about, 260, 0]].forEach(([part, letters, more]) => {  // room for them: a click moves nothing below
      part.style.cssText = `height: ${1.5 * (Math.ceil(7.2 * letters / (width || 1000)) + more)}em; overflow-y: auto; line-height: 1.5`;
    });
    const drawnWidth = Math.max(width || 1000, columns * 40 + 2 * MARGIN);
    step = (drawnWidth - 2 * MARGIN) / columns;
    Object.assign(svg.style, { display: "block", width: `${drawnWidth}px`, height: `${height}px`, maxWidth: "none" });  // JupyterLab shrinks pictures
    for (const [key, value] of Object.entries({ x: 0, y: 0, width: drawnWidth, height })) mask.setAttribute(key, value);
    boxes.replaceChildren(); mask.replaceChildren();
    element("rect", { width: drawnWidth, height, fill: "white" }, mask);
    nodes.forEach((name, node) => {
      const place = { x: x(node) - half(node), y: y(node) - BOX / 2, width: 2 * half(node), height: BOX, rx: 6 };
      element("rect", { ...place, fill: "black" }, mask);
      const group = element("g", { "data-node": node, role: "button", cursor: "pointer" }, boxes), one = !roles[node];
      element("rect", { ...place, fill: "transparent", stroke: "currentColor" }, group);
      fit(write(group, x(node), y(node) + (one ? 4.5 : -2), name, 13), node);
      group.append(" ");  // between words that are read aloud
      if (!one) fit(write(group, x(node), y(node) + 12, roles[node], 11), node);
      element("title", {}, group, named(node));
    });
    if (focused !== null) boxes.querySelector(`[data-node="${focused}"]`).focus();
  }
  function draw() {
    drawn = connections.map((_, i) => i).filter((i) => i < state.size && !touches(i, state.ablated));
    live = onPaths(new Set(drawn));
    lines.replaceChildren();
    [...drawn].reverse().forEach((i) => {  // the strongest on top
      const [sender, receiver, , score, start, end, bend] = connections[i], low = y(sender) - BOX / 2, high = y(receiver) + BOX / 2;
      const [from, to, aside] = [MARGIN + step * start, MARGIN + step * end, step * bend], third = (low - high) / 3;
      const d = `M${from} ${low}C${from + aside} ${low - third} ${to + aside} ${high + third} ${to} ${high}`;
      const group = element("g", { "data-edge": i, fill: "none" }, lines);
      element("path", { d, stroke: score < 0 ? colours.below : colours.above, "stroke-width": 1 + 6 * Math.abs(score) / largest, ...(live.has(i) ? {} : { "stroke-dasharray": "4 4" }) }, group);
      element("path", { d, stroke: "transparent", "stroke-width": 9 }, group);  // where the pointer finds it
      element("title", {}, group, edgeText(i));
    });
    slider.value = state.size;
    count.textContent = `${state.size} of ${connections.length}`;
    tell();
    const off = drawn.length - live.size;
    aside.textContent = `on no path from ${visible(bars(0))} to ${visible(bars(rows))}: ${off}`;
    drawTable();
    paint();
  }
  function paint() {  // what is highlighted
    const focus = state.hover ?? (state.edge === null ? state.focus : null), chosen = state.edge !== null || drawn.some((i) => touches(i, focus));
    lines.querySelectorAll("[data-edge]").forEach((group) => {
      const i = Number(group.dataset.edge), strong = i === state.edge || touches(i, focus);
      group.setAttribute("stroke-opacity", chosen ? (strong ? 1 : 0.12) : live.has(i) ? 0.85 : 0.7);
    });
    boxes.querySelectorAll("[data-node]").forEach((group) => {
      const node = Number(group.dataset.node), off = node === state.ablated, own = drawn.filter((i) => touches(i, node)), onPath = own.some((i) => live.has(i)), frame = group.querySelector("rect");
      group.setAttribute("tabindex", node === state.current ? 0 : -1);
      group.setAttribute("aria-pressed", off);
      const shown = [...group.querySelectorAll("text")].map((text) => text.textContent).join(" ");  // what is read aloud begins with it
      group.setAttribute("aria-label", `${shown}${shown.includes("…") ? `: ${named(node)}` : ""}. ${nodeText(node)}`);
      group.setAttribute("fill-opacity", own.length || off ? 1 : 0.7);
      for (const [key, value] of Object.entries({ stroke: off ? colours.below : "currentColor", "stroke-dasharray": off ? "4 3" : "none", "stroke-width": node === focus ? 3 : onPath ? 1.8 : 1.2,
                                                  "stroke-opacity": onPath || off || node === focus ? 1 : own.length ? 0.6 : 0.3 })) frame.setAttribute(key, value);
      group.querySelector("text").style.fontWeight = onPath ? "bold" : "";
      group.querySelectorAll("text").forEach((text) => { text.style.textDecoration = off ? "line-through" : ""; });
    });
    about.textContent = state.edge !== null && focus === null ? edgeText(state.edge) + "." : focus !== null ? `${named(focus)}: ${nodeText(focus)}`
      : "Point at a component, or go to it with Tab and the arrow keys, to see its edges. Click it, or press Enter, to ablate it.";
    ports.replaceChildren();
    if (focus === null) return;
    new Set(drawn.filter((i) => connections[i][1] === focus && connections[i][2]).map((i) => `${connections[i][2]} ${connections[i][5]}`)).forEach((port) => {
      const [name, end] = port.split(" ");
      write(ports, MARGIN + step * Number(end) + 7, y(focus) + BOX / 2 + 12, name, 12).setAttribute("font-weight", "bold");
    });
  }
  function touches(i, node) { return connections[i][0] === node || connections[i][1] === node; }
  function bars(row) { return nodes.filter((_, i) => places[i][0] === row).join(" and "); }
  function onPaths(kept) {  // those of the connections that some path from the lowest row to the highest uses
    const reached = nodes.map((_, i) => places[i][0] === 0), used = nodes.map((_, i) => places[i][0] === rows);
    upward.forEach((i) => { if (kept.has(i) && reached[connections[i][0]]) reached[connections[i][1]] = true; });
    downward.forEach((i) => { if (kept.has(i) && used[connections[i][1]]) used[connections[i][0]] = true; });
    return new Set([...kept].filter((i) => reached[connections[i][0]] && used[connections[i][1]]));
  }
  function tell() {
    const { sizes, title } = data, percent = (fraction) => `${Math.round(100 * fraction)} %`.replace("-", "−");
    const nearest = sizes.reduce((best, size, i) => Math.abs(size - state.size) < Math.abs(sizes[best] - state.size) ? i : best, 0);
    measured.textContent = sizes.length ? `Measured with ${sizes[nearest]} edges: faithfulness with only these ${percent(data.kept[nearest])}, without these ${percent(data.removed[nearest])} (0 %: ${title} of the corrupted prompts, 100 %: of the clean ones).` : "";
    const off = state.ablated, value = data.without[off];
    without.textContent = off === null ? "" : `The full model without ${named(off)}: ${value === null ? "not measured" : `faithfulness ${percent(value)}`}.`;
  }
  function edgeText(i) {
    const [sender, receiver, port, score] = connections[i];
    return `${named(sender)} → ${named(receiver)}${port ? `, ${PORTS[port]}` : ""}: ${signed(score)}${live.has(i) ? "" : ", on no path"}`;
  }
  function nodeText(node) {
    if (node === state.ablated) return "ablated; click it, or press Enter, to put it back.";
    const list = (end, other) => {
      const own = drawn.filter((i) => connections[i][end] === node), more = own.length > 4 ? ` and ${own.length - 4} more` : "";
      return own.slice(0, 4).map((i) => `${visible(nodes[connections[i][other]])} (${connections[i][2] ? PORTS[connections[i][2]] + " " : ""}${signed(connections[i][3])})`).join(", ") + more || "nothing";
    };
    return `reads ${list(1, 0)}; is read by ${list(0, 1)}.`;
  }
  function signed(score) { return (score < 0 ? "−" : "+") + Math.abs(score); }
  function drawTable() {
    table.replaceChildren();
    const cells = drawn.slice(0, MOST_ROWS).map((i) => [named(connections[i][0]), named(connections[i][1]), PORTS[connections[i][2]] || "", signed(connections[i][3]), live.has(i) ? "yes" : "no"]);
    [["sender", "receiver", "port", "score", "on a path"], ...cells].forEach((texts, i) => {
      const row = add(table, "tr");
      texts.forEach((text) => add(row, i ? "td" : "th", text));
    });
  }
  function swatch(text, look) {
    const item = add(legend, "span"), picture = element("svg", { width: 30, height: 10, "aria-hidden": true }, item);
    picture.style.cssText = "width: 30px; height: 10px; margin-right: 0.4em";
    element("path", { d: "M0 5H30", ...look }, picture);
    return add(item, "span", text);
  }
  function fit(text, node) {  // a text as far as its box has room for it
    const letters = [...text.textContent];
    for (const size of [10, 9]) if (text.getComputedTextLength() > 2 * half(node) - 3) text.setAttribute("font-size", size);
    while (letters.length > 1 && text.getComputedTextLength() > 2 * half(node) - 3) { letters.pop(); text.textContent = letters.join("") + "…"; }
  }
  function add(parent, name, text = "") { const node = document.createElement(name); node.textContent = text; parent.append(node); return node; }
  function write(parent, at, height, text, size) {
    return element("text", { x: at, y: height, fill: "currentColor", "text-anchor": "middle", "font-size": size }, parent, visible(text));
  }
})(ROOT, DATA);
