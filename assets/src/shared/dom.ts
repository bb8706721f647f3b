const svg = "http://www.w3.org/2000/svg";

/** Draws an icon of assets/icons.txt, as ui.Icon does on the server. */
export function icon(name: string): SVGSVGElement {
  const sprite = document.documentElement.dataset["icons"] ?? "";
  const drawing = document.createElementNS(svg, "svg");
  drawing.setAttribute("class", "i");
  drawing.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(svg, "use");
  use.setAttribute("href", `${sprite}#${name}`);
  drawing.append(use);
  return drawing;
}

/** Makes an element; children are text or elements, never markup. */
export function element<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Readonly<Record<string, string>> = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Scrolls a list so that a row of it is in sight, and nothing round the list: what else is being looked at stays. */
export function reveal(row: HTMLElement, list: HTMLElement): void {
  const at = row.getBoundingClientRect();
  const within = list.getBoundingClientRect();
  if (at.top < within.top) list.scrollTop -= within.top - at.top;
  else if (at.bottom > within.bottom) list.scrollTop += at.bottom - within.bottom;
}
