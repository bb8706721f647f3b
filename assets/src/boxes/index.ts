import "./boxes.css";
import { Scope } from "../shared/scope";
import { Bench } from "./bench";
import type { Aside } from "./commands";
import { completed, type OverlayInfo, type State } from "./contract";
import { hull, type Rect } from "./geometry";
import type { Box } from "./model";

/**
 * The box workbench. It takes its state from the JSON inside it (or from
 * #workbench-state), its places from elements that bear data-part, and its
 * buttons from those that bear data-act; what the page does not have it does
 * without. Only data-part="stage" with an <img> in it is needed.
 */
export class BoxWorkbench extends HTMLElement {
  private scope: Scope | null = null;
  private bench: Bench | null = null;

  connectedCallback(): void {
    const source = this.querySelector('script[type="application/json"]') ?? document.getElementById("workbench-state");
    const stage = this.find("stage");
    const image = stage?.querySelector("img");
    if (!source?.textContent || !stage || !image || this.scope) return;
    const state = completed(JSON.parse(source.textContent) as State);
    this.scope = new Scope();
    this.bench = new Bench(this, (name) => this.find(name), state, stage, image, this.scope);
  }

  disconnectedCallback(): void {
    this.scope?.dispose();
    this.scope = null;
    this.bench = null;
  }

  private find(name: string): HTMLElement | null {
    return this.querySelector<HTMLElement>(`[data-part="${name}"]`);
  }

  /** The boxes as they are now. */
  get boxes(): readonly Box[] {
    return this.bench?.editor().boxes.all ?? [];
  }

  /** Whether anything was changed that undo could take back. */
  get amended(): boolean {
    return this.bench?.editor().history.canUndo ?? false;
  }

  get chosen(): Box | null {
    return this.bench?.editor().chosen ?? null;
  }

  /** Chooses a box and brings it into sight; null lets it go. */
  choose(id: string | null): void {
    this.bench?.editor().choose(id);
    const box = this.chosen;
    if (box) this.bench?.canvas.reveal(hull(box));
  }

  /** Puts these boxes in place of all there are, as one step of undo. */
  replace(boxes: readonly Box[], label: string): void {
    this.bench?.editor().replaceAll(boxes, label);
  }

  /** Puts these boxes in and takes those ids out, with something beside the boxes, as one step of undo. */
  alter(label: string, put: readonly Box[], drop: readonly string[], aside: Aside): void {
    this.bench?.editor().alter(label, put, drop, aside);
  }

  /** Says under which own id a box of an overlay is taken over. */
  nameOverlays(ownIds: ReadonlyMap<string, string>): void {
    const editor = this.bench?.editor();
    if (editor) editor.ownIds = ownIds;
  }

  /** Brings a part of the image into sight. */
  reveal(part: Rect): void {
    this.bench?.canvas.reveal(part);
  }

  /** Takes a box of an overlay over as an own one. */
  adopt(overlay: string, box: string): Box | null {
    return this.bench?.editor().adopt(overlay, box) ?? null;
  }

  setOverlays(overlays: readonly OverlayInfo[]): void {
    this.bench?.setOverlays(overlays);
  }

  /** Lights these boxes, own ones and ones of overlays, and dims all others; an empty list ends it. */
  light(ids: readonly string[]): void {
    this.bench?.canvas.light(ids);
  }

  /**
   * Lets the page do an action of the table of keys, which then stands in the `?` sheet.
   * `usual` does what is done without the page, `chord` is the key, "" for a button.
   */
  bind(id: string, run: (usual: () => void, chord: string) => void): void {
    this.bench?.bind(id, run);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "box-workbench": BoxWorkbench;
  }
}

customElements.define("box-workbench", BoxWorkbench);
