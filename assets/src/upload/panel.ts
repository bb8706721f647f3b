import { element } from "../shared/dom";
import { bytes, count, duration } from "./names";
import type { Progress } from "./uploader";

/** What is still to come takes how long, judged by what has come since the upload began; "" before anything has. */
function remaining(progress: Progress, elapsed: number): string {
  const sent = progress.received - progress.kept;
  if (sent <= 0 || elapsed < 2000) return "";
  return `, about ${duration((((progress.bytes - progress.received) / sent) * elapsed) / 1000)} left`;
}

/** Shows how far an upload is: the whole, and each file on its way. */
export class Panel {
  readonly root: HTMLElement;
  readonly #whole = element("progress", { "aria-label": "Upload" });
  readonly #words = element("p", { role: "status" });
  readonly #lost = element("p", { class: "st warn", role: "alert", hidden: "" });
  readonly #moving = element("div", { class: "now" });
  readonly #began = performance.now();

  constructor(cancel: HTMLElement) {
    this.root = element("section", { class: "upload", "aria-label": "Upload" }, this.#words, this.#whole, this.#lost, this.#moving, element("div", { class: "row" }, cancel));
  }

  say(text: string): void {
    this.#words.textContent = text;
  }

  show(progress: Progress): void {
    this.#whole.max = Math.max(1, progress.bytes);
    this.#whole.value = progress.bytes === 0 ? 1 : progress.received;
    const left = remaining(progress, performance.now() - this.#began);
    this.say(`${count(progress.complete)} of ${count(progress.files)} files, ${bytes(progress.received)} of ${bytes(progress.bytes)}${left}`);
    this.#lost.hidden = progress.waiting === 0;
    this.#lost.textContent = `The connection is lost. Trying again in ${duration(progress.waiting / 1000)}; what has arrived stays.`;
    this.#moving.replaceChildren(
      ...progress.moving.map((file) => {
        const bar = element("progress", { "aria-label": file.name });
        bar.max = Math.max(1, file.size);
        bar.value = file.received;
        const row = element("div", { class: "row" }, element("span", {}, file.name), element("span", {}, bytes(file.size)));
        return element("div", { class: "progress" }, row, bar);
      }),
    );
  }
}
