/* Views are functions from the state to a tree of nodes; morph() turns what is shown into that tree with as few changes as it can, so
 * that focus, selection and scrolling stay where they are while everything is live. Text only ever becomes text nodes. */

const SVG = "http://www.w3.org/2000/svg";

/* h("button", {class: "quiet", "data-act": "pause"}, "Pause"): false, null and undefined properties and children are left out. */
export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/* An icon of the sheet in index.html; it says nothing by itself, the word beside it does. */
export function icon(name) {
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  return fill(document.createElementNS(SVG, "svg"), { class: "icon", "aria-hidden": "true" }, [use]);
}

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {}))
    if (name === "css") for (const [key, one] of Object.entries(value)) node.style.setProperty(key, one);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/* The children of `host` become `children`. */
export function show(host, ...children) {
  const wanted = document.createDocumentFragment();
  wanted.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  morphChildren(host, wanted);
}

function morphChildren(from, to) {
  const wanted = [...to.childNodes];
  const kept = new Map([...from.children].filter((node) => node.dataset?.key).map((node) => [node.dataset.key, node]));
  wanted.forEach((target, index) => {
    let present = from.childNodes[index];
    const same = target.dataset?.key && kept.get(target.dataset.key);
    if (same && same !== present) {
      from.insertBefore(same, present ?? null); // a row was put before it
      present = same;
    }
    if (!present) from.append(target);
    else morph(present, target);
  });
  while (from.childNodes.length > wanted.length) from.lastChild.remove();
}

function morph(from, to) {
  if (from.nodeName !== to.nodeName || from.nodeType !== to.nodeType || from.dataset?.key !== to.dataset?.key) {
    from.replaceWith(to);
    return;
  }
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  for (const { name } of [...from.attributes])
    if (!to.hasAttribute(name) && name !== "open" && name !== "style") from.removeAttribute(name);
  for (const { name, value } of [...to.attributes])
    if (name !== "style" && from.getAttribute(name) !== value) from.setAttribute(name, value);
  // by the object model: the attribute would be an inline style, which the page's policy forbids
  if (from.style.cssText !== to.style.cssText) from.style.cssText = to.style.cssText;
  if (!to.hasAttribute("data-own")) morphChildren(from, to);
}
