import "./transcript.css";
import { completed, type State } from "../boxes/contract";
import { Scope } from "../shared/scope";
import { Bench } from "./bench";
import { fetchOutline } from "./sound";

/**
 * The transcript workbench. It takes its state from the JSON inside it, its places from elements that bear data-part, and its
 * buttons from those that bear data-act. The page's own <audio> is on its way already.
 */
export class TranscriptWorkbench extends HTMLElement {
  private scope: Scope | null = null;

  connectedCallback(): void {
    const source = this.querySelector('script[type="application/json"]');
    const audio = this.querySelector("audio");
    if (!source?.textContent || !audio || this.scope) return;
    const state = completed(JSON.parse(source.textContent) as State);
    this.scope = new Scope();
    const parts = (name: string): HTMLElement | null => this.querySelector<HTMLElement>(`[data-part="${name}"]`);
    new Bench(this, parts, state, { audio, outline: fetchOutline(state) }, this.dataset["nonce"] ?? "", this.scope);
  }

  disconnectedCallback(): void {
    this.scope?.dispose();
    this.scope = null;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "transcript-workbench": TranscriptWorkbench;
  }
}

customElements.define("transcript-workbench", TranscriptWorkbench);
