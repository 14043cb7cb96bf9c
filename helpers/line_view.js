// The line view: draws one or two lines of people from `data` into `root`. No library, no network; text only ever as text.
(function (root, data) {
  const LEAST_WEIGHT = 0.02;  // of attention that is drawn
  const { lines, colours } = data, length = lines[0].tokens.length, nLayers = lines[0].patterns.length;
  const nHeads = nLayers ? lines[0].patterns[0].length : 0;
  const state = { layer: data.layer, head: data.head, query: data.query };
  let step = 74, width = 20 + step * length;  // as the page has room
  const center = (position) => 10 + step * (position + 0.5);
  const range = (n) => [...Array(n).keys()];
  const move = (key, by, low, high) => { state[key] = Math.min(high, Math.max(low, state[key] + by)); };
  root.replaceChildren();

  const bar = document.createElement("div"), scroll = document.createElement("div"), summary = document.createElement("p");
  bar.style.margin = "0.5em 0";
  scroll.style.overflowX = "auto";
  summary.setAttribute("aria-live", "polite");
  const layerBox = select("after layer", [[-1, "none yet"], ...range(nLayers).map((i) => [i, i])], "layer");
  button("◀", "one layer back", () => move("layer", -1, -1, nLayers - 1));
  button("▶", "one layer on", () => move("layer", 1, -1, nLayers - 1));
  const headBox = select("head", range(nHeads).map((i) => [i, i]), "head");
  const queryBox = select("query position (who asks)", lines[0].tokens.map((token, i) => [i, `${i} ${token}`]), "query");
  root.append(bar, scroll, summary);
  root.onkeydown = (event) => {
    if (event.target.tagName === "SELECT") return;
    const keys = { ArrowLeft: ["query", -1, 0, length - 1], ArrowRight: ["query", 1, 0, length - 1],
                   ArrowUp: ["layer", 1, -1, nLayers - 1], ArrowDown: ["layer", -1, -1, nLayers - 1] };
    if (!keys[event.key]) return;
    event.preventDefault(); event.stopPropagation();
    move(...keys[event.key]);
    draw(true);
  };
  new ResizeObserver(() => { if (fit()) draw(); else reveal(); }).observe(scroll);
  fit();
  draw();

  function select(label, options, key) {
    const wrapper = document.createElement("label"), box = document.createElement("select");
    wrapper.append(label + " ", box);
    wrapper.style.marginRight = "1em";
    options.forEach(([value, text]) => box.append(new Option(text, value)));
    box.onchange = () => { state[key] = Number(box.value); draw(); };
    bar.append(wrapper);
    return box;
  }
  function button(text, title, change) {
    const node = document.createElement("button");
    node.type = "button"; node.textContent = text; node.title = title; node.setAttribute("aria-label", title);
    node.style.marginRight = "0.4em";
    node.onclick = () => { change(); draw(); };
    bar.append(node);
  }
  function draw(focus = false) {
    layerBox.value = state.layer; headBox.value = state.head; queryBox.value = state.query;
    scroll.replaceChildren();
    lines.forEach(drawLine);
    summary.textContent = lines.map(sentence).join(" ");
    reveal();
    if (focus) root.querySelector(`[data-position="${state.query}"]`).focus({ preventScroll: true });
  }
  function fit() {  // people stand 50 to 74 pixels apart, wider in a short line; tells whether that has changed
    const before = step, page = scroll.clientWidth || 700;
    step = Math.max(50, Math.min(Math.max(74, 680 / length), (page - 20) / length));
    width = 20 + step * length;
    return Math.abs(step - before) > 0.5;
  }
  function reveal() {  // scroll to the query position
    const x = center(state.query) - scroll.scrollLeft, page = scroll.clientWidth;
    if (page > 0 && (x < step / 2 || x > page - step / 2)) scroll.scrollLeft = center(state.query) - page + step;
  }
  function attention(line) {
    return state.layer < 0 ? [] : line.patterns[state.layer][state.head][state.query];
  }
  function drawLine(line, number) {
    const title = document.createElement("div");
    title.textContent = line.title;
    title.style.cssText = "position: sticky; left: 10px; width: max-content; font-weight: bold";
    scroll.append(title);
    const height = 250, ground = 152, svg = element("svg", { width, height, role: "group", "aria-label": line.title }, scroll);
    Object.assign(svg.style, { display: "block", width: `${width}px`, height: `${height}px`, maxWidth: "none" });  // JupyterLab shrinks pictures
    const ink = { fill: "currentColor", "text-anchor": "middle", "font-size": 12 };
    attention(line).forEach((weight, key) => {
      if (weight < LEAST_WEIGHT || key === state.query) return;
      const from = center(state.query), to = center(key), middle = (from + to) / 2;
      const top = ground - 30 - (110 * Math.abs(state.query - key)) / length;
      element("path", { d: `M ${from} ${ground - 14} Q ${middle} ${2 * top - ground + 14} ${to} ${ground - 14}`, fill: "none",
                        stroke: colours.chosen, "stroke-width": 1 + 9 * weight, "stroke-opacity": 0.35 + 0.6 * weight, "data-key": key }, svg);
      element("text", { ...ink, x: middle, y: top - 6, "font-size": 11 }, svg, weight.toFixed(2));
    });
    line.tokens.forEach((token, i) => {
      const x = center(i), asks = i === state.query, toSelf = attention(line)[i] || 0;
      const [top, probability] = line.logit_lens[state.layer + 1][i];
      const differs = number > 0 && top !== lines[0].logit_lens[state.layer + 1][i][0];
      const words = [visible(token), [...visible(top)].slice(0, Math.floor(step / 7)).join(""), probability.toFixed(2) + (differs ? " ≠" : "")];
      const person = element("g", { tabindex: asks ? 0 : -1, role: "button", "data-position": i,  // its name holds the words that it shows
                                    "aria-label": `position ${i}: ${words.join(" ")} (token, logit lens, probability)` }, svg);
      person.style.cursor = "pointer";
      person.onclick = () => { state.query = i; draw(true); };
      element("rect", { x: x - step / 2, y: ground - 14, width: step, height: 100, fill: "transparent" }, person);
      element("circle", { cx: x, cy: ground, r: asks ? 8 : 11, fill: asks ? colours.chosen : colours.person }, person);
      if (asks && toSelf >= LEAST_WEIGHT) {
        element("circle", { cx: x, cy: ground, r: 15, fill: "none", stroke: colours.chosen, "stroke-width": 1 + 5 * toSelf }, person);
      }
      element("text", { ...ink, x, y: ground + 30 }, person, words[0]);
      person.append(" ");
      element("rect", { x: x - step / 2 + 3, y: ground + 42, width: step - 6, height: 42, rx: 8, fill: "none",
                        stroke: differs ? colours.chosen : "currentColor", "stroke-width": differs ? 3 : 0.6, "data-logit-lens": i }, person);
      element("text", { ...ink, x, y: ground + 59, "fill-opacity": 0.65 + 0.35 * probability }, person, words[1]);
      person.append(" ");
      element("text", { ...ink, x, y: ground + 76, "font-size": 10 }, person, words[2]);
    });
  }
  function sentence(line) {
    if (state.layer < 0) return `${line.title}: before the first layer no head has attended, so nobody has asked anything.`;
    const keys = attention(line).map((weight, key) => [weight, key]).filter(([weight]) => weight >= LEAST_WEIGHT);
    keys.sort((a, b) => b[0] - a[0]);
    const attended = keys.slice(0, 3).map(([weight, key]) => {
      const [first, second, lowered] = line.top_outputs[state.layer][state.head][key].map(visible);
      return `${key} “${visible(line.tokens[key])}” (${weight.toFixed(2)}; its output raises “${first}”, “${second}” and lowers “${lowered}”)`;
    });
    const query = `${state.query} “${visible(line.tokens[state.query])}”`;
    return `${line.title}: in head ${state.layer}.${state.head}, query position ${query} asks, and attends to ${attended.join("; ") || "no position in particular"}.`;
  }
})(ROOT, DATA);
