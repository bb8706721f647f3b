import { element, icon } from "../shared/dom";
import { listen, type ChosenFile } from "../shared/events";
import { island } from "../shared/islands";
import { toast } from "../shared/notices";
import type { Scope } from "../shared/scope";
import { bytes, commonFolder, count, isLeftover } from "./names";
import { Panel } from "./panel";
import { recognize } from "./recognize";
import { begin, cancel, receiver, Refused, start, type NewImport } from "./server";
import { Uploader, type Outgoing } from "./uploader";

const atOnce = 4;
const announced = 500;

/** The files of a drop under the names that the import knows them by. */
function outgoing(files: readonly ChosenFile[]): Outgoing[] {
  const folder = commonFolder(files.map(({ path }) => path));
  return files
    .filter(({ path }) => !isLeftover(path))
    .map(({ file, path }) => ({ name: path.slice(folder.length), size: file.size, slice: (from, to) => file.slice(from, to) }));
}

/** Sends files to an import, starts it, and goes to its page. */
async function upload(id: number, files: readonly Outgoing[], host: HTMLElement, scope: Scope): Promise<void> {
  const stop = element("button", { type: "button", class: "btn" }, icon("ban"), "Cancel the import");
  const panel = new Panel(stop);
  host.replaceChildren(panel.root);
  const page = `/imports/${id}`;
  scope.on(stop, "click", () => {
    void cancel(id, scope.signal).finally(() => leave(scope, page));
  });
  scope.on(window, "beforeunload", (event) => event.preventDefault());
  const pause = (milliseconds: number) => new Promise<void>((resolve) => void scope.after(milliseconds, resolve));
  await new Uploader(files, receiver(id, scope.signal), { atOnce, announced, pause }, (progress) => panel.show(progress)).run();
  panel.say("All files have arrived. Starting the import …");
  await start(id, scope.signal);
  leave(scope, page);
}

/** Goes to another page without asking whether the upload may be left. */
function leave(scope: Scope, page: string): void {
  if (scope.disposed) return;
  scope.dispose();
  location.assign(page);
}

/** Tells what went wrong. The import's own page says what has arrived, and takes the files again. */
function fail(error: unknown, scope: Scope, page: string): void {
  if (scope.disposed) return;
  toast("bad", error instanceof Error ? error.message : "The upload broke off. Choose the same files again.");
  if (page !== "") scope.after(4000, () => leave(scope, page));
}

/** The formats of which a file may hold several segments of a recording. */
const segmented = new Set(["ctm", "stm", "vtt", "srt", "textgrid", "labelstudio"]);

function wanted(form: HTMLFormElement): NewImport {
  const data = new FormData(form);
  const text = (name: string) => String(data.get(name) ?? "");
  const format = text("format");
  const chosen = text("purpose");
  const heard = chosen === "prefill" || chosen === "prediction" ? chosen : "prediction";
  const purpose = format === "images" || format === "audio" ? "media" : format === "hypotheses" ? heard : chosen;
  return {
    format,
    purpose,
    model: purpose === "prefill" || purpose === "prediction" ? text("model") : "",
    source: text("source"),
    group_by: text("group_by"),
    group_pattern: text("group_by") === "name" ? text("group_pattern") : "",
    voc_base: format === "voc" && text("voc_base") === "0" ? 0 : 1,
    per: segmented.has(format) && text("per") === "segment" ? "segment" : "",
    add_classes: data.has("add_classes"),
    allow_erased: data.has("allow_erased"),
    dry_run: data.has("dry_run"),
  };
}

/** Marks a field with what the server has against it; false if the form has no such field. */
function mark(form: HTMLFormElement, field: string, message: string): boolean {
  const control = form.elements.namedItem(field);
  const input = control instanceof RadioNodeList ? control[0] : control;
  const ask = input instanceof Element ? input.closest(".ask") : null;
  if (!(ask instanceof HTMLElement)) return false;
  ask.querySelector(".error")?.remove();
  ask.append(element("p", { class: "error", role: "alert" }, icon("octagon-x"), message));
  if (input instanceof HTMLElement) input.focus();
  return true;
}

island("[data-upload]", (host, scope) => {
  if (!(host instanceof HTMLFormElement)) return;
  const form = host;
  const said = form.querySelector<HTMLElement>("[data-chosen]");
  const chosen = new Map<string, Outgoing>();
  // A format that the person has picked is not picked again by us.
  let picked = false;
  scope.on(form, "change", ({ target }) => {
    picked ||= target instanceof HTMLInputElement && target.name === "format";
  });

  listen(scope, form, "files:drop", ({ files }) => {
    for (const file of outgoing(files)) chosen.set(file.name, file);
    const all = [...chosen.values()];
    const size = all.reduce((sum, file) => sum + file.size, 0);
    const summary = `${count(all.length)} ${all.length === 1 ? "file" : "files"} chosen, ${bytes(size)}. More can be added.`;
    tell(summary);
    void recognize(all, form.dataset["kind"]).then((format) => {
      if (scope.disposed || chosen.size !== all.length || !format) return;
      const radio = form.querySelector<HTMLInputElement>(`[name="format"][value="${format}"]`);
      if (!radio) return;
      radio.checked ||= !picked;
      const name = radio.labels?.[0]?.textContent ?? format;
      tell(`${summary} ${radio.checked ? `Format: ${name}.` : `They look like ${name}, and another format is chosen.`}`);
    });
  });

  function tell(text: string): void {
    if (!said) return;
    said.textContent = text;
    said.hidden = false;
  }

  scope.on(form, "submit", (event) => {
    event.preventDefault();
    if (chosen.size === 0) {
      toast("warn", "Choose or drop the files to import first.");
      form.querySelector<HTMLElement>('input[type="file"]')?.focus();
      return;
    }
    const button = form.querySelector<HTMLButtonElement>(".main-act");
    if (button) button.disabled = true;
    void bring(button);
  });

  async function bring(button: HTMLButtonElement | null): Promise<void> {
    let page = "";
    try {
      const id = await begin(form.dataset["upload"] ?? "", wanted(form), scope.signal);
      page = `/imports/${id}`;
      // A reload, or the way back from another page, finds this import.
      history.pushState(null, "", page);
      await upload(id, [...chosen.values()], form, scope);
    } catch (error) {
      if (button) button.disabled = false;
      if (page === "" && error instanceof Refused && mark(form, error.field, error.message)) return;
      fail(error, scope, page);
    }
  }
});

island("[data-resume]", (section, scope) => {
  const id = Number(section.dataset["resume"]);
  listen(scope, section, "files:drop", ({ files }) => {
    upload(id, outgoing(files), section, scope).catch((error: unknown) => fail(error, scope, `/imports/${id}`));
  });
});
