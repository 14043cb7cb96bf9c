// The circuit view: draws `data` into `root`. No library, no network; text only ever as text.
(function (root, data) {
  const LAYER = 84, ROW = 22, LEFT = 66;  // LEFT: what the rows are
  const { tokens, heads, roles, colours } = data, n = tokens.length;
  const layerOf = heads.map((name) => Number(name.split(".")[0])), layers = [...new Set(layerOf)].sort((a, b) => a - b);
  const inLayer = layers.map((layer) => heads.flatMap((_, i) => layerOf[i] === layer ? [i] : []));
  const most = Math.max(...inLayer.map((row) => row.length));
  const height = 88 + LAYER * layers.length;
  const numberOf = (name) => heads.includes(name) ? heads.indexOf(name) : null;
  const nameOf = (head) => head === null ? null : heads[head];
  const state = { position: data.position, measure: data.measure, head: numberOf(data.head), hover: null, ablated: numberOf(data.ablated) };
  const edgesOf = heads.map(() => new Map());  // head → query → [[key, effects]]
  data.edges.forEach(([head, query, key, effects]) => {
    if (!edgesOf[head].has(query)) edgesOf[head].set(query, []);
    edgesOf[head].get(query).push([key, effects]);
  });
  // in the explorer: an input that the kernel hears of, and a text by which it answers
  const explorer = root.closest(".explorer"), choice = explorer?.querySelector(".explorer-choice input"), selection = explorer?.querySelector(".explorer-selection");
  const measured = data.edges.every((edge) => edge[3].length);  // effects of edges
  let known = "", sent = 0;  // the choice that both sides know; when the view last told of one
  const largestSize = Math.max(...data.sizes.flat(2), 1e-9);
  const named = (head) => heads[head] + (roles[head] ? ` (${roles[head]})` : "");
  const inRange = (value, count) => Math.min(count - 1, Math.max(0, value));
  let width = 0, step = 0;
  const x = (position) => LEFT + step * (position + 0.5);
  const y = (head) => height - 84 - LAYER * layers.indexOf(layerOf[head]);
  const gap = (count) => Math.min(12, (step - 6) / count);  // between the nodes of a row
  function fits(text, size) {  // a token as far as its column has room for it
    const most = Math.max(3, Math.floor(step / (0.56 * size))), word = [...unquoted(text).trim()];
    return word.length > most ? word.slice(0, most - 1).join("") + "…" : word.join("");
  }
  function unquoted(text) {  // a token of spaces is not blank
    return text.trim() ? visible(text) : visible(text).replaceAll(" ", "␣");
  }
  function nodeX(head, position) {
    const row = inLayer[layers.indexOf(layerOf[head])];
    return x(position) + (row.indexOf(head) - (row.length - 1) / 2) * gap(row.length);
  }

  root.replaceChildren();
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "circuit view");
  const bar = add(root, "div"), scroll = add(root, "div"), below = add(root, "div"), details = add(root, "details");
  bar.style.cssText = "display: flex; flex-wrap: wrap; gap: 0.4em 1.2em; align-items: center; margin: 0.4em 0";
  scroll.style.cssText = "overflow-x: auto";
  below.style.cssText = "display: flex; flex-wrap: wrap; gap: 0 2em; align-items: flex-start";
  const measureBox = select("width of an edge", data.measures.flatMap((text, i) => measured || choice || !isEffect(i) ? [[i, text]] : []),
    (value) => { if (isEffect(value) && !measured) tell({ ...chosen(), measure: Number(value) }); else state.measure = Number(value); });
  const headBox = select("head", [["", "all"], ...heads.map((_, i) => [i, named(i)])], (value) => { state.head = value === "" ? null : Number(value); });
  const button = add(bar, "button");
  button.type = "button";
  const svg = element("svg", { role: "group", tabindex: 0, "aria-label": "heads above the tokens: arrow keys choose a position and a head, Enter ablates the head" }, scroll);
  const nodes = element("g", {}, svg), lines = element("g", { "pointer-events": "none" }, svg), labels = element("g", { "pointer-events": "none" }, svg);
  const bars = add(below, "div"), summary = add(below, "p");
  const room = `${ROW * (data.candidates[0].length + 2)}px`;  // for bars and words: a click moves nothing below them
  bars.style.cssText = `width: 420px; max-width: 100%; height: ${room}`;
  summary.style.cssText = `flex: 1 1 320px; height: ${room}; overflow-y: auto; margin: 0.3em 0`;
  summary.tabIndex = 0;
  summary.setAttribute("aria-live", "polite");
  add(details, "summary").textContent = "as a table";
  const table = add(details, "table");
  svg.onkeydown = (event) => {
    const head = state.head ?? -1;
    const keys = { ArrowLeft: () => { state.position = inRange(state.position - 1, n); }, ArrowRight: () => { state.position = inRange(state.position + 1, n); },
                   ArrowUp: () => { state.head = inRange(head + 1, heads.length); }, ArrowDown: () => { state.head = head <= 0 ? null : head - 1; },
                   Enter: () => ablate(state.head), " ": () => ablate(state.head), Escape: () => { state.head = null; ablate(null); } };
    if (!keys[event.key]) return;
    event.preventDefault(); event.stopPropagation();
    keys[event.key]();
    draw();
  };
  root.onpointerover = (event) => hover(event.target.closest("[data-head]"));
  root.onpointerleave = () => hover(null);
  svg.onclick = (event) => {
    const target = event.target.closest("[data-at]");
    if (!target) return;
    const same = state.position === Number(target.dataset.at);
    state.position = Number(target.dataset.at);
    if (target.dataset.head !== undefined) {
      state.head = Number(target.dataset.head);
      if (same || state.ablated !== null) ablate(state.head);
    }
    draw();
  };
  new ResizeObserver(() => { if (scroll.clientWidth && scroll.clientWidth !== width) { resize(); draw(); } }).observe(scroll);
  resize();
  known = JSON.stringify(chosen());
  draw();
  if (selection) {
    const listener = new MutationObserver(() => root.isConnected ? hear() : listener.disconnect());
    listener.observe(selection, { childList: true, characterData: true, subtree: true });
    hear();
  }

  function isEffect(measure) { return data.measures[measure].startsWith("effect"); }
  function chosen() { return { position: state.position, head: nameOf(state.head), ablated: nameOf(state.ablated), measure: state.measure }; }
  function tell(choices) {  // sets the input as a person would: the event makes the widget send it
    sent = Date.now();
    choice.value = JSON.stringify({ ...choices, at: sent });
    choice.dispatchEvent(new Event("change", { bubbles: true }));
  }
  function hear() {  // an answer to an earlier choice than the last one is old
    const { position, head, ablated, measure, at } = JSON.parse(selection.textContent || "{}");
    if (!(position < n) || at < sent) return;
    Object.assign(state, { position, head: numberOf(head), ablated: numberOf(ablated) });
    if (measure !== undefined && (measured || !isEffect(measure))) state.measure = measure;
    known = JSON.stringify(chosen());
    draw();
  }
  function ablate(head) { state.ablated = head === null || state.ablated === head ? null : head; }
  function hover(node) {
    const head = node ? Number(node.dataset.head) : null;
    if (head === state.hover) return;
    state.hover = head;
    drawEdges();
  }
  function resize() {
    width = scroll.clientWidth;
    const drawn = Math.max(width || 1000, LEFT + 10 + n * Math.max(36, 5 * most + 6));
    step = (drawn - LEFT - 10) / n;
    const size = step < 46 ? 11 : 12, reach = Math.min(6, gap(most) / 2), radius = Math.min(4, gap(most) / 2 + 0.5);
    Object.assign(svg.style, { display: "block", width: `${drawn}px`, height: `${height}px`, maxWidth: "none" });
    nodes.replaceChildren();
    const rows = [[18, "next token"], [height - 12, "token"], ...layers.map((layer, i) => [height - 80 - LAYER * i, `layer ${layer}`]),
                  ...layers.slice(1).map((layer, i) => [height - 34 - LAYER * (i + 1), `lens after ${layer - 1}`])];
    rows.forEach(([at, text]) => {
      const label = write(nodes, 2, at, text, 10);
      label.setAttribute("text-anchor", "start");
      if (text.startsWith("lens")) label.setAttribute("data-lens", -1);  // hidden with its row
    });
    tokens.forEach((token, position) => {
      const column = element("g", { "data-at": position }, nodes);
      column.style.cursor = "pointer";
      element("rect", { x: x(position) - step / 2, y: 0, width: step, height, fill: "transparent", "data-column": position }, column);
      write(column, x(position), height - 12, fits(token, size), size);
      data.lens.forEach((row, layer) => {  // the logit lens before a layer stands below its heads, the prediction at the top
        const last = layer === data.lens.length - 1, shown = layers.indexOf(layer);
        if (!last && shown < 1) return;
        const node = write(column, x(position), last ? 18 : height - 34 - LAYER * shown, fits(row[position], last ? size : 10), last ? size : 10);
        node.setAttribute("fill-opacity", 0.65 + 0.35 * data.lensProbabilities[layer][position]);
        node.setAttribute("data-lens", layer);
      });
      heads.forEach((name, head) => {
        const node = element("g", { "data-head": head, "data-at": position }, column);
        element("rect", { x: nodeX(head, position) - reach, y: y(head) - 12, width: 2 * reach, height: 24, fill: "transparent" }, node);
        element("circle", { cx: nodeX(head, position), cy: y(head), r: radius }, node);
        element("title", {}, node, `${named(head)} at ${position} “${visible(token)}”`);
      });
    });
  }
  function draw() {
    measureBox.value = state.measure;
    headBox.value = state.head ?? "";
    button.disabled = state.head === null && state.ablated === null;
    const target = state.head ?? state.ablated;
    button.textContent = target === null ? "ablate a head" : state.ablated === target ? `restore ${heads[target]}` : `ablate ${heads[target]}`;
    button.onclick = () => { ablate(target); draw(); };
    nodes.querySelectorAll("[data-column]").forEach((column, position) => {
      column.setAttribute("fill", position === state.position ? colours.above : "transparent");
      column.setAttribute("fill-opacity", 0.1);
    });
    nodes.querySelectorAll("[data-head] circle").forEach((circle) => {
      const { head, at } = circle.parentNode.dataset, off = Number(head) === state.ablated, here = Number(at) === state.position;
      const colour = off ? colours.below : here ? colours.above : "currentColor";
      for (const [key, value] of Object.entries({ fill: off ? "none" : colour, stroke: colour, "fill-opacity": here ? 1 : 0.35,
                                                  "stroke-opacity": here || off ? 1 : 0.35, "stroke-width": off ? 1.5 : 0 })) circle.setAttribute(key, value);
    });
    const left = x(state.position) - step, right = x(state.position) + step;  // the chosen position stays in sight
    scroll.scrollLeft = Math.min(left, Math.max(scroll.scrollLeft, right - scroll.clientWidth));
    drawEdges();
    drawBars();
    summary.textContent = sentence();
    drawTable();
    if (choice && known !== JSON.stringify(chosen())) {
      known = JSON.stringify(chosen());
      tell(chosen());
    }
  }
  function widths() {  // [head, query, key, width between -1 and 1, number] of all edges of the chosen position
    if (isEffect(state.measure)) {
      const all = data.edges.filter(([, query]) => query <= state.position)
        .map(([head, query, key, effects]) => [head, query, key, effects[state.position - query]]);
      const largest = Math.max(...all.map((edge) => Math.abs(edge[3])), 1e-9);
      return all.filter((edge) => Math.abs(edge[3]) >= 0.1 * largest).map((edge) => [...edge.slice(0, 3), edge[3] / largest, edge[3]]);
    }
    return heads.flatMap((_, head) => edgesAt(head, state.position));
  }
  function edgesAt(head, query) {
    return (edgesOf[head].get(query) || []).map(([key]) => {
      const number = (state.measure === 1 ? data.sizes : data.attention)[head][query][key];
      return [head, query, key, state.measure === 1 ? number / largestSize : number, number];
    });
  }
  function drawEdges() {
    lines.replaceChildren(); labels.replaceChildren();
    const focus = state.hover ?? state.head;
    widths().forEach((edge) => drawEdge(edge, focus === null ? 0.5 : edge[0] === focus ? 0.95 : 0.1, edge[0] === focus));
    nodes.querySelectorAll("[data-lens]").forEach((text) => { text.style.visibility = focus === null || Number(text.dataset.lens) === data.lens.length - 1 ? "" : "hidden"; });
    const placed = [];  // left end, right end and height of each label so far
    if (focus === null) return heads.forEach((_, head) => {  // each role once in a layer
      const first = heads.findIndex((_, other) => layerOf[other] === layerOf[head] && roles[other] === roles[head]);
      if (roles[head] && first === head) label(head, state.position, roles[head]);
    });
    label(focus, state.position, named(focus)).setAttribute("font-weight", "bold");
    upstream(focus).forEach(([sender, position, ports]) => {
      element("path", { d: `M${nodeX(sender, position)} ${y(sender) - 5} L${x(position)} ${y(focus) + 36}`, fill: "none", stroke: "currentColor",
                        "stroke-width": 1.5, "stroke-dasharray": "3 2", "data-read": `${sender} ${position}` }, lines);
      label(sender, position, `${named(sender)} → ${ports.map((port) => port.toUpperCase()).join(", ")}`);
      if (!isEffect(state.measure)) edgesAt(sender, position).forEach((edge) => drawEdge(edge, 0.95, false));
    });
    function label(head, position, text) {  // above a node, clear of the picture's edges and of other labels
      const at = nodeX(head, position), last = x(n - 1) + step / 2, width = 6.6 * text.length;
      const anchor = at < LEFT + 40 ? "start" : at > last - 90 ? "end" : "middle";
      const left = at - { start: 0, middle: width / 2, end: width }[anchor];
      let height = y(head) - 10;
      while (placed.some(([from, to, other]) => from < left + width && left < to && Math.abs(other - height) < 12)) height -= 12;
      placed.push([left, left + width, height]);
      const node = write(labels, at, height, text, 12);
      node.setAttribute("text-anchor", anchor);
      return node;
    }
  }
  function upstream(focus) {  // [[sender, position, ports]]: earlier heads that the head reads on edges of the chosen position
    const found = new Map();
    data.reads.filter(([receiver, , , query]) => receiver === focus && query === state.position).forEach(([, sender, port, query, key]) => {
      const position = port === "q" ? query : key, id = `${sender} ${position}`;
      if (!found.has(id)) found.set(id, [sender, position, []]);
      if (!found.get(id)[2].includes(port)) found.get(id)[2].push(port);
    });
    return [...found.values()];
  }
  function drawEdge([head, query, key, size, number], opacity, labelled) {
    const from = nodeX(head, query), to = x(key), top = y(head);
    element("path", { d: `M${from} ${top + 4} C${from} ${top + 32} ${to} ${top + 6} ${to} ${top + 36}`, fill: "none", "data-edge": `${head} ${query} ${key}`,
                      stroke: number < 0 ? colours.below : colours.above, "stroke-width": 1 + 7 * Math.abs(size), "stroke-opacity": opacity }, lines);
    if (labelled) write(labels, to < LEFT + 40 ? to + 6 : to - 6, top + 36, number.toFixed(2), 11).setAttribute("text-anchor", to < LEFT + 40 ? "start" : "end");
  }
  function drawBars() {
    bars.replaceChildren();
    const p = state.position, off = state.ablated;
    const rows = data.candidates[p].map((token, i) => [token, data.probabilities[p][i], off === null ? null : data.without[off][p][i]]);
    if (off !== null && !data.candidates[p].includes(data.likeliestWithout[off][p])) rows.push([data.likeliestWithout[off][p], null, data.probabilityWithout[off][p]]);
    const title = add(bars, "div");
    title.textContent = `next token after “${visible(tokens[p])}”` + (off === null ? "" : `: all heads, then without ${heads[off]}`);
    title.style.cssText = `height: ${ROW}px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis`;
    rows.forEach(([token, before, after]) => {
      const row = add(bars, "div"), name = add(row, "span"), track = add(row, "span"), numbers = add(row, "span");
      row.style.cssText = `display: flex; height: ${ROW}px; align-items: center; gap: 8px`;
      name.textContent = unquoted(token);
      name.style.cssText = "width: 8em; overflow: hidden; white-space: pre; text-align: right; font-family: monospace";
      track.style.cssText = "flex: 1";
      [[before, colours.above], [after, colours.below]].forEach(([value, colour]) => {
        if (value === null) return;
        const piece = add(track, "span");
        piece.style.cssText = `display: block; height: 7px; margin: 1px 0; background: ${colour}; width: ${Math.max(0.5, 100 * value)}%`;
      });
      numbers.textContent = [before, after].filter((value) => value !== null).map((value) => value.toFixed(2)).join(" → ");
      numbers.style.cssText = "width: 7em; font-variant-numeric: tabular-nums";
    });
  }
  function sentence() {
    const p = state.position, focus = state.head, parts = [`After position ${p}, “${visible(tokens[p])}”, the likeliest next token is “${visible(data.candidates[p][0])}” (${data.probabilities[p][0].toFixed(2)}).`];
    if (state.ablated !== null) parts.push(`Without ${named(state.ablated)} it is “${visible(data.likeliestWithout[state.ablated][p])}” (${data.probabilityWithout[state.ablated][p].toFixed(2)}).`);
    if (focus !== null) {
      const edges = (edgesOf[focus].get(p) || []).map(([key]) => `${key} “${visible(tokens[key])}” (${data.attention[focus][p][key].toFixed(2)})`);
      parts.push(`Head ${named(focus)} attends to ${edges.join(", ") || "no single position"}.`);
      const read = upstream(focus).map(([sender, position, ports]) => `${named(sender)} at ${position} “${visible(tokens[position])}” through its ${ports.map((port) => port.toUpperCase()).join(" and ")}`);
      if (read.length) parts.push(`It reads what these heads wrote: ${read.join("; ")}.`);
    } else parts.push("Choose a head to see what it reads; click it, or press Enter, to ablate it.");
    return parts.join(" ");
  }
  function drawTable() {
    table.replaceChildren();
    const p = state.position, hasRoles = roles.some((role) => role);
    const header = ["head", ...(hasRoles ? ["role"] : []), "attends to", "likeliest next token without it"];
    const rows = heads.map((name, head) => [name, ...(hasRoles ? [roles[head]] : []), (edgesOf[head].get(p) || []).map(([key]) => `${key} ${unquoted(tokens[key])} ${data.attention[head][p][key].toFixed(2)}`).join(", "),
                                            `${unquoted(data.likeliestWithout[head][p])} ${data.probabilityWithout[head][p].toFixed(2)}`]);
    [header, ...rows].forEach((cells, i) => {
      const row = add(table, "tr");
      cells.forEach((cell) => { add(row, i ? "td" : "th").textContent = cell; });
    });
  }
  function select(label, options, change) {
    const wrapper = add(bar, "label"), box = document.createElement("select");
    wrapper.append(label + " ", box);
    options.forEach(([value, text]) => box.append(new Option(text, value)));
    box.onchange = () => { change(box.value); draw(); };
    return box;
  }
  function add(parent, name) { const node = document.createElement(name); parent.append(node); return node; }
  function write(parent, at, height, text, size) {
    return element("text", { x: at, y: height, fill: "currentColor", "text-anchor": "middle", "font-size": size }, parent, visible(text));
  }
})(ROOT, DATA);
