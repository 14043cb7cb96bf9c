// Small multiples of attention: in every head at once, arcs from one query to the keys that it attends to.
(function (root, data) {
  const WIDTH = 116, HEIGHT = 44;
  const { tokens, names, edges, colour } = data, n = tokens.length, step = WIDTH / n;
  const x = (position) => step * (position + 0.5);
  const choice = root.closest(".explorer")?.querySelector(".explorer-choice input");  // in the explorer: the kernel hears of it
  let chosen = data.position;

  root.replaceChildren();
  const line = add(root, "div"), grid = add(root, "div"), words = add(root, "p");
  line.tabIndex = 0;
  line.setAttribute("role", "group");
  line.setAttribute("aria-label", "tokens: arrow keys choose the query");
  line.onkeydown = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault(); event.stopPropagation();
    chosen = Math.min(n - 1, Math.max(0, chosen + move));
    draw(chosen);
  };
  const labels = tokens.map((token, position) => {
    const label = add(line, "span");
    label.textContent = visible(token);
    label.dataset.at = position;
    label.style.cssText = "display: inline-block; white-space: pre; padding: 1px 3px; margin: 1px; border-radius: 3px; cursor: pointer; min-width: 0.5em";
    return label;
  });
  grid.style.cssText = `display: grid; grid-template-columns: repeat(auto-fill, ${WIDTH}px); gap: 6px 10px; margin: 6px 0; max-width: 1000px`;
  words.style.cssText = "margin: 0; height: 3em; overflow-y: auto";
  words.setAttribute("aria-live", "polite"); words.tabIndex = 0;
  const pictures = names.map((name, head) => {
    const svg = element("svg", { role: "img", viewBox: `0 0 ${WIDTH} ${HEIGHT + 14}` }, grid);
    svg.style.cssText = "display: block; cursor: pointer";
    const arcs = element("g", { fill: "none", stroke: colour }, svg);
    element("text", { x: 0, y: HEIGHT + 12, fill: "currentColor", "font-size": 11 }, svg, name);
    const dots = tokens.map((_, position) => element("circle", { cx: x(position), cy: HEIGHT - 4, r: Math.min(2, step / 3) }, svg));
    tokens.forEach((_, position) => element("rect", { x: step * position, y: 0, width: step, height: HEIGHT + 14, fill: "transparent", "data-at": position, "data-head": head }, svg));
    return [svg, arcs, dots];
  });
  root.onpointerover = (event) => {
    const target = event.target.closest("[data-at]");
    draw(target ? Number(target.dataset.at) : chosen, target?.dataset.head);
  };
  root.onpointerleave = () => draw(chosen);
  root.onclick = (event) => {
    const target = event.target.closest("[data-at]");
    if (!target) return;
    chosen = Number(target.dataset.at);
    draw(chosen, target.dataset.head);
    if (!choice) return;
    choice.value = JSON.stringify({ position: chosen, head: names[target.dataset.head] ?? null, at: Date.now() });
    choice.dispatchEvent(new Event("change", { bubbles: true }));
  };
  draw(chosen);

  function draw(query, pointed) {
    labels.forEach((label, position) => {
      label.style.outline = position === query ? `2px solid ${colour}` : "";
      label.style.textDecoration = position === chosen ? "underline" : "";
    });
    pictures.forEach(([svg, arcs, dots], head) => {
      arcs.replaceChildren();
      edges[head][query].forEach(([key, weight]) => {
        const middle = (x(query) + x(key)) / 2, top = HEIGHT - 8 - (HEIGHT - 10) * 2 * Math.abs(query - key) / Math.max(n - 1, 1);
        const path = key === query ? `M${x(key) - 3} ${HEIGHT - 6} a3 4 0 1 1 6 0` : `M${x(query)} ${HEIGHT - 6} Q${middle} ${Math.max(top, 8 - HEIGHT)} ${x(key)} ${HEIGHT - 6}`;
        element("path", { d: path, "stroke-width": 0.5 + 3 * weight, "stroke-opacity": 0.25 + 0.75 * weight, "data-arc": `${head} ${query} ${key}` }, arcs);
      });
      dots.forEach((dot, position) => {
        dot.setAttribute("fill", position === query ? colour : "currentColor");
        dot.setAttribute("fill-opacity", position === query ? 1 : 0.5);
      });
      svg.setAttribute("aria-label", sentence(head, query));
    });
    words.textContent = pointed === undefined
      ? `Arcs from the query ${query} “${visible(tokens[query])}” to its keys, as wide as the attention. Point at a token to see it as the query.`
      : sentence(Number(pointed), query);
  }
  function sentence(head, query) {
    const keys = [...edges[head][query]].sort((a, b) => b[1] - a[1]).slice(0, 4).map(([key, weight]) => `${key} “${visible(tokens[key])}” (${weight.toFixed(2)})`);
    return `Head ${names[head]} attends from ${query} “${visible(tokens[query])}” to ${keys.join(", ") || "no single position"}.`;
  }
  function add(parent, name) { const node = document.createElement(name); parent.append(node); return node; }
})(ROOT, DATA);
