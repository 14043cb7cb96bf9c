// What a page does without a kernel: live pictures, predictions, explanations of terms. No library, no network.
(function () {
  const here = new URL(".", document.currentScript.src);  // of this file; the pages' scripts stand beside them

  // The theme's parts: names as they are read, a landmark for the sidebar, and search that fetches nothing from a folder.
  document.querySelectorAll("summary[aria-label], .search-button-field[aria-label]").forEach((node) => node.removeAttribute("aria-label"));
  const sidebar = document.querySelector(".sidebar-primary-items__start");
  sidebar?.setAttribute("role", "complementary");
  sidebar?.setAttribute("aria-label", "contents of the site");
  if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

  // Pictures: a still until it comes into view; then its scripts are loaded, each once.
  const loaded = new Map();
  function load(address) {
    if (!loaded.has(address)) {
      loaded.set(address, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        Object.assign(script, { src: address, async: false, onload: resolve, onerror: reject });
        document.head.append(script);
      }));
    }
    return loaded.get(address);
  }
  const observer = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
    observer.unobserve(target);
    new MutationObserver(() => repair(target)).observe(target, { childList: true, subtree: true });
    target.dataset.scripts.split(" ").forEach((address) => load(address));
  }), { rootMargin: "150px" });
  document.querySelectorAll("[data-scripts]").forEach((picture) => observer.observe(picture));

  function repair(view) {  // of circuitsvis: canvases without a name, and letters too pale for their background
    view.querySelectorAll("canvas[role=img]:not([aria-label])").forEach((canvas) => canvas.setAttribute("aria-label", "attention pattern"));
    view.querySelectorAll(".circuits-view span[style*='color: white']").forEach((token) => {
      const [red, green, blue] = token.style.backgroundColor.match(/\d+/g).map((value) => (value / 255) ** 2.2);
      token.style.color = 0.21 * red + 0.72 * green + 0.07 * blue > 0.17 ? "black" : "white";
    });
  }

  window.courseFigure = async function (name, figure) {  // called by a figure's script
    await load(new URL("plotly.min.js", here).href);
    const picture = document.getElementById(name), drawing = document.createElement("div");
    if (matchMedia("(pointer: coarse)").matches) figure.layout.dragmode = false;  // a finger scrolls the page
    picture.append(drawing);
    await window.Plotly.newPlot(drawing, { ...figure, config: { displayModeBar: false } });
    picture.querySelector("img").remove();
  };

  // Predictions: a choice is kept in this browser, and unfolds the results that wait for it.
  const SHOWN = "";  // the choice of a reader who wants to see the results without one
  const choices = {};
  function kept(id) {
    try { return localStorage.getItem(`circuits-prediction-${id}`); } catch { return choices[id] ?? null; }
  }
  function keep(id, choice) {
    choices[id] = choice;
    try {
      if (choice === null) localStorage.removeItem(`circuits-prediction-${id}`);
      else localStorage.setItem(`circuits-prediction-${id}`, choice);
    } catch { /* this browser keeps nothing: the choice holds until the page is closed */ }
  }
  document.querySelectorAll("[data-question]").forEach(ask);
  function ask(question) {
    const id = question.dataset.question, list = question.querySelector("ul");
    if (!list) return;
    const options = [...list.children].map((option) => button(option.innerHTML, option.textContent));
    const skip = button("Show me without predicting", SHOWN), again = button("Ask me again", null);
    const bar = document.createElement("div");
    bar.className = "options";
    bar.append(...options, skip, again);
    question.setAttribute("role", "group");
    question.setAttribute("aria-label", "prediction");
    skip.className = again.className = "aside";
    list.replaceWith(bar);
    show();

    function button(content, choice) {
      const node = document.createElement("button");
      node.type = "button";
      node.innerHTML = content;
      node.onclick = () => {
        keep(id, choice);
        show();
        if (choice === null) waiting(id).forEach((results) => { results.open = false; });
        (choice === null ? options[0] : again).focus({ preventScroll: true });
      };
      node.choice = choice;
      return node;
    }
    function show() {
      const choice = kept(id);
      options.forEach((option) => {
        option.disabled = choice !== null;
        option.setAttribute("aria-pressed", option.choice === choice);
      });
      skip.hidden = choice !== null;
      again.hidden = choice === null;
      waiting(id).filter((results) => idsOf(results).every((each) => kept(each) !== null)).forEach((results) => { results.open = true; });
      document.querySelectorAll(`[data-reveal="${id}"]`).forEach((reveal) => say(reveal, choice));
    }
  }
  function idsOf(results) { return results.dataset.questions.split(" "); }
  function waiting(id) { return [...document.querySelectorAll("[data-questions]")].filter((results) => idsOf(results).includes(id)); }
  function say(reveal, choice) {  // what was predicted, on the card that says what the run says
    const line = reveal.querySelector("p"), answer = reveal.querySelector("strong")?.textContent.match(/“(.*)”/s)?.[1];
    if (!line) return;
    line.textContent = choice ? `${choice === answer ? "You said so, too" : "You said"}: “${choice}”.` : "You made no prediction.";
  }

  // Terms of the glossary: the first in each section is explained under the pointer, and when it has the focus.
  const tip = document.createElement("div");
  Object.assign(tip, { id: "term-tip", hidden: true });
  tip.setAttribute("role", "tooltip");
  document.body.append(tip);
  const glossary = window.courseGlossary ?? {}, terms = Object.keys(glossary).sort((a, b) => b.length - a.length);
  const pattern = new RegExp(`(?<![\\w-])(${terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})(?:s|es)?(?![\\w-])`, "i");
  const lower = Object.fromEntries(terms.map((term) => [term.toLowerCase(), glossary[term]]));
  document.querySelectorAll("article section:not(#glossary)").forEach((section) => {
    const texts = [...section.children].filter((child) => !/^(SECTION|H[1-6])$/.test(child.tagName)).flatMap(textsOf), met = new Set();
    texts.forEach((text) => mark(text, met));
  });
  function textsOf(element) {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), texts = [];
    while (walker.nextNode()) {
      if (!walker.currentNode.parentElement.closest("a, code, pre, kbd, math, button, summary, strong, .cell, .toctree-wrapper")) texts.push(walker.currentNode);
    }
    return texts;
  }
  function mark(text, met, from = 0) {  // in a text, every term that its section has not explained yet
    const found = pattern.exec(text.data.slice(from));
    if (!found) return;
    const start = from + found.index, term = found[1].toLowerCase();
    if (met.has(term)) return mark(text, met, start + found[0].length);
    met.add(term);
    const word = text.splitText(start), rest = word.splitText(found[0].length), node = document.createElement("span");
    node.className = "term";
    node.dataset.explanation = lower[term];
    node.tabIndex = 0;
    node.setAttribute("role", "button");
    node.setAttribute("aria-describedby", tip.id);
    word.replaceWith(node);
    node.append(word);
    mark(rest, met);
  }
  function explain(term) {
    tip.textContent = term.dataset.explanation;
    tip.hidden = false;
    const place = term.getBoundingClientRect(), below = place.bottom + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(8, Math.min(place.left, document.documentElement.clientWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${scrollY + (below ? place.bottom : place.top - tip.offsetHeight)}px`;
  }
  const hide = () => { tip.hidden = true; };
  for (const kind of ["pointerover", "focusin", "click"]) {
    document.addEventListener(kind, ({ target }) => {
      const term = target.closest?.(".term");
      if (term) explain(term); else if (kind !== "focusin" && !tip.contains(target)) hide();
    });
  }
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
})();
