// The line view: draws one or two lines of people from `data` into `root`. No library, no network; text only ever as text.
(function (root, data) {
  const NS = "http://www.w3.org/2000/svg", ORANGE = "#d55e00", BLUE = "#0072b2";
  const lines = data.lines, people = lines[0].tokens.length, layers = lines[0].patterns.length;
  const heads = layers ? lines[0].patterns[0].length : 0;
  const state = { layer: data.layer, head: data.head, asker: data.asker };
  const wide = Math.max(700, 20 + 74 * people), step = (wide - 20) / people, at = (i) => 10 + step * (i + 0.5);
  root.replaceChildren();

  function element(name, attributes, parent, text) {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }
  function control(label, options, key) {
    const wrapper = document.createElement("label"), select = document.createElement("select");
    wrapper.append(label + " ", select);
    wrapper.style.marginRight = "1em";
    options.forEach(([value, text]) => select.append(new Option(text, value)));
    select.onchange = () => { state[key] = Number(select.value); draw(); };
    bar.append(wrapper);
    return select;
  }
  function button(text, title, change) {
    const made = document.createElement("button");
    made.type = "button"; made.textContent = text; made.title = title; made.setAttribute("aria-label", title);
    made.style.marginRight = "0.4em";
    made.onclick = () => { change(); draw(); };
    bar.append(made);
  }
  const shown = (text) => text.replaceAll("\n", "⏎");
  const count = (n) => [...Array(n).keys()];
  const move = (key, by, low, high) => { state[key] = Math.min(high, Math.max(low, state[key] + by)); };

  const bar = document.createElement("div"), said = document.createElement("p");
  bar.style.margin = "0.5em 0";
  said.setAttribute("aria-live", "polite");
  const layerBox = control("after layer", [[-1, "none yet"], ...count(layers).map((i) => [i, i])], "layer");
  button("◀", "one layer back", () => move("layer", -1, -1, layers - 1));
  button("▶", "one layer on", () => move("layer", 1, -1, layers - 1));
  const headBox = control("head", count(heads).map((i) => [i, i]), "head");
  const askerBox = control("who asks", lines[0].tokens.map((token, i) => [i, `${i} ${token}`]), "asker");
  const scroll = document.createElement("div");
  scroll.style.overflowX = "auto";
  root.append(bar, scroll, said);
  root.onkeydown = (event) => {
    if (event.target.tagName === "SELECT") return;
    const keys = { ArrowLeft: ["asker", -1, 0, people - 1], ArrowRight: ["asker", 1, 0, people - 1],
                   ArrowUp: ["layer", 1, -1, layers - 1], ArrowDown: ["layer", -1, -1, layers - 1] };
    if (!keys[event.key]) return;
    event.preventDefault(); event.stopPropagation();
    move(...keys[event.key]);
    draw(true);
  };
  new ResizeObserver(reveal).observe(scroll);

  function draw(focus = false) {
    layerBox.value = state.layer; headBox.value = state.head; askerBox.value = state.asker;
    scroll.replaceChildren();
    lines.forEach((line, number) => drawLine(line, number));
    said.textContent = lines.map(sentence).join(" ");
    reveal();
    if (focus) root.querySelector(`[data-person="${state.asker}"]`).focus({ preventScroll: true });
  }
  function reveal() {  // scroll to the one who asks
    const x = at(state.asker) - scroll.scrollLeft, room = scroll.clientWidth;
    if (room > 0 && (x < step / 2 || x > room - step / 2)) scroll.scrollLeft = at(state.asker) - room + step;
  }
  function attention(line) {
    return state.layer < 0 ? [] : line.patterns[state.layer][state.head][state.asker];
  }
  function drawLine(line, number) {
    const title = document.createElement("div");
    title.textContent = line.title;
    title.style.cssText = "position: sticky; left: 10px; width: max-content; font-weight: bold";
    scroll.append(title);
    const height = 250, ground = 152, svg = element("svg", { width: wide, height, role: "group", "aria-label": line.title }, scroll);
    Object.assign(svg.style, { display: "block", width: `${wide}px`, height: `${height}px`, maxWidth: "none" });  // JupyterLab shrinks pictures
    const ink = { fill: "currentColor", "text-anchor": "middle", "font-size": 12 };
    attention(line).forEach((weight, i) => {
      if (weight < 0.02 || i === state.asker) return;
      const a = at(state.asker), b = at(i), top = ground - 30 - (110 * Math.abs(state.asker - i)) / people;
      element("path", { d: `M ${a} ${ground - 14} Q ${(a + b) / 2} ${2 * top - ground + 14} ${b} ${ground - 14}`, fill: "none",
                        stroke: ORANGE, "stroke-width": 1 + 9 * weight, "stroke-opacity": 0.35 + 0.6 * weight, "data-answer": i }, svg);
      element("text", { ...ink, x: (a + b) / 2, y: top - 6, "font-size": 11 }, svg, weight.toFixed(2));
    });
    line.tokens.forEach((token, i) => {
      const thought = line.thoughts[state.layer + 1][i], self = attention(line)[i] || 0;
      const changed = number > 0 && (thought[0] !== lines[0].thoughts[state.layer + 1][i][0]);
      const person = element("g", { tabindex: i === state.asker ? 0 : -1, role: "button", "data-person": i,
        "aria-label": `person ${i}, ${token}, thinks of ${thought[0]}` }, svg);
      person.style.cursor = "pointer";
      element("rect", { x: at(i) - step / 2, y: ground - 14, width: step, height: 100, fill: "transparent" }, person);
      person.onclick = () => { state.asker = i; draw(true); };
      element("circle", { cx: at(i), cy: ground, r: i === state.asker ? 8 : 11, fill: i === state.asker ? ORANGE : BLUE }, person);
      if (i === state.asker && self >= 0.02) {
        element("circle", { cx: at(i), cy: ground, r: 15, fill: "none", stroke: ORANGE, "stroke-width": 1 + 5 * self }, person);
      }
      element("text", { ...ink, x: at(i), y: ground + 30 }, person, shown(token));
      element("rect", { x: at(i) - step / 2 + 3, y: ground + 42, width: step - 6, height: 42, rx: 8, fill: "none",
                        stroke: changed ? ORANGE : "currentColor", "stroke-width": changed ? 3 : 0.6, "data-thought": i }, person);
      element("text", { ...ink, x: at(i), y: ground + 59, "fill-opacity": 0.45 + 0.55 * thought[1] }, person, shown(thought[0]).slice(0, 10));
      element("text", { ...ink, x: at(i), y: ground + 76, "font-size": 10 }, person, thought[1].toFixed(2) + (changed ? " ≠" : ""));
    });
  }
  function sentence(line) {
    const who = `${state.asker} “${shown(line.tokens[state.asker])}”`;
    if (state.layer < 0) return `${line.title}: before the first layer nobody has asked anything.`;
    const answers = attention(line).map((weight, i) => [weight, i]).filter(([weight]) => weight >= 0.02);
    answers.sort((a, b) => b[0] - a[0]);
    const told = answers.slice(0, 3).map(([weight, i]) => {
      const [first, second, lowered] = line.answers[state.layer][state.head][i].map(shown);
      return `${i} “${shown(line.tokens[i])}” (${weight.toFixed(2)}; that raises “${first}”, “${second}” and lowers “${lowered}”)`;
    });
    return `${line.title}: in ${state.layer}.${state.head}, ${who} asks, and hears from ${told.join("; ") || "nobody in particular"}.`;
  }
  draw();
})(ROOT, DATA);
