import { announce } from "../shared/notices";
import type { Server } from "./server";

/** The panel with the chosen class's definition, as the server writes it; each class is fetched once. */
export class Definition {
  private readonly known = new Map<number, string>();
  private shown: number | null;
  private asking: AbortController | null = null;

  /** `first`: the class whose definition came with the page. */
  constructor(
    private readonly panel: HTMLElement | null,
    private server: Server,
    first: number,
  ) {
    this.shown = first;
    if (panel && panel.childElementCount > 0) this.known.set(first, panel.innerHTML);
    else this.shown = null;
  }

  async show(id: number): Promise<void> {
    if (!this.panel || this.shown === id || !this.server.can("definition")) return;
    this.shown = id;
    this.asking?.abort();
    const known = this.known.get(id);
    if (known !== undefined) {
      this.panel.innerHTML = known;
      return;
    }
    const asking = new AbortController();
    this.asking = asking;
    this.panel.setAttribute("aria-busy", "true");
    try {
      const html = await this.server.definition(id, asking.signal);
      this.known.set(id, html);
      this.panel.innerHTML = html;
    } catch {
      if (asking.signal.aborted) return;
      this.shown = null;
      announce("The definition could not be loaded");
    } finally {
      if (this.asking === asking) this.panel.removeAttribute("aria-busy");
    }
  }

  /** Another task, perhaps of another project: ids may name other classes. */
  reset(server: Server): void {
    this.asking?.abort();
    this.server = server;
    this.known.clear();
    this.shown = null;
  }
}
