// What the views share.
function element(name, attributes, parent, text) {  // an SVG element, appended to its parent
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}
function visible(token) {
  return token.replaceAll("\n", "⏎");
}
