// The next item's page is fetched, and its picture decoded, while the present one is looked at.

/** A page that waits to take the place of the present one. */
export interface Waiting {
  readonly address: string;
  readonly title: string;
  readonly main: HTMLElement;
  readonly crumbs: Element | null;
  readonly styles: readonly string[];
}

/** Fetches a review page; null where the server leads elsewhere, which means that nothing waits. */
export async function fetchPage(address: string, signal: AbortSignal): Promise<Waiting | null> {
  const response = await fetch(address, { headers: { Accept: "text/html" }, signal });
  const found = new DOMParser().parseFromString(await response.text(), "text/html");
  const main = found.querySelector<HTMLElement>("main");
  if (!response.ok || !main?.querySelector("box-workbench[data-review], hearing-desk")) return null;
  const styles = [...found.querySelectorAll<HTMLLinkElement>('link[rel="stylesheet"]')].map((l) => l.getAttribute("href") ?? "");
  const crumbs = found.querySelector(".crumbs");
  const waiting = { address: response.url, title: found.title, main: document.adoptNode(main), crumbs: crumbs && document.adoptNode(crumbs), styles };
  // Adopted, the picture is on its way; a broken one is shown as such.
  await main.querySelector("img")?.decode().catch(() => undefined);
  return waiting;
}

/** Puts a fetched page in place of the present one. */
export function show(page: Waiting): void {
  const here = new Set([...document.querySelectorAll<HTMLLinkElement>('link[rel="stylesheet"]')].map((l) => l.getAttribute("href")));
  if (page.styles.some((href) => !here.has(href))) return location.assign(page.address);
  history.pushState(null, "", page.address);
  document.title = page.title;
  document.querySelector("main")?.replaceChildren(...page.main.childNodes);
  if (page.crumbs) document.querySelector(".crumbs")?.replaceWith(page.crumbs);
}
