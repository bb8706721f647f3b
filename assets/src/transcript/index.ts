import "./transcript.css";

/** The transcript workbench; it takes its state from the JSON inside it. */
export class TranscriptWorkbench extends HTMLElement {}

declare global {
  interface HTMLElementTagNameMap {
    "transcript-workbench": TranscriptWorkbench;
  }
}

customElements.define("transcript-workbench", TranscriptWorkbench);
