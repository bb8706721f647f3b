import { showOnce } from "./dialogs";
import { element, icon } from "./dom";
import { rank } from "./rank";
import { Scope } from "./scope";

/** One line of the palette. */
interface Choice {
  label: string;
  icon: string;
  /** What tells it from others of the same label. */
  detail: string;
  /** Its keys, apart by spaces. */
  hint: string;
  run: () => void;
}

/** How long typing rests before the server is asked, in milliseconds. */
const rest = 150;

/** Opens the command palette: the places of the rail, the acts of the page, and what the search finds. */
export function openPalette(): void {
  if (document.querySelector("dialog.palette")) return;
  const scope = new Scope();
  const input = element("input", { type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list", "aria-label": "Go to a place, do, or search", placeholder: "Go to, do, search", autocomplete: "off", autofocus: "" });
  const list = element("div", { role: "listbox", id: "palette-list", "aria-label": "Choices" });
  const dialog = element("dialog", { class: "palette", closedby: "any", "aria-label": "Command palette" }, element("div", { class: "ask-line" }, icon("search"), input, element("kbd", {}, "Esc")), list);
  const own = ownChoices();
  let shown: Choice[] = [];
  let at = 0;

  const choose = (choice: Choice | undefined) => {
    if (!choice) return;
    dialog.close();
    choice.run();
  };
  const mark = (index: number) => {
    at = shown.length === 0 ? 0 : (index + shown.length) % shown.length;
    [...list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === at)));
    const current = shown.length > 0 ? list.children[at] : undefined;
    if (current) {
      input.setAttribute("aria-activedescendant", current.id);
      current.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };
  const show = (choices: Choice[]) => {
    shown = choices;
    list.replaceChildren(...choices.map(optionFor));
    if (choices.length === 0) list.append(element("p", { class: "none" }, "Nothing by that name."));
    mark(0);
  };

  show(own);
  const search = searcher(scope, (found) => show([...matching(own, input.value), ...found]));
  scope.on(input, "input", () => {
    show(matching(own, input.value));
    search(input.value);
  });
  scope.on(input, "keydown", (event) => {
    if (event.key === "ArrowDown") mark(at + 1);
    else if (event.key === "ArrowUp") mark(at - 1);
    else if (event.key === "Enter") choose(shown[at]);
    else return;
    event.preventDefault();
  });
  scope.on(list, "click", (event) => {
    const option = event.target instanceof Element ? event.target.closest("[role=option]") : null;
    if (option) choose(shown[[...list.children].indexOf(option)]);
  });
  showOnce(dialog, scope);
}

function optionFor(choice: Choice, index: number): HTMLElement {
  const hint = element("small", {}, ...choice.hint.split(" ").filter((key) => key !== "").map((key) => element("kbd", {}, key)));
  return element("div", { role: "option", id: `palette-${index}`, "aria-selected": "false" }, icon(choice.icon), choice.label, element("span", { class: "faint" }, choice.detail), hint);
}

function matching(choices: readonly Choice[], query: string): Choice[] {
  return choices
    .flatMap((choice) => {
      const score = rank(query, choice.label);
      return score === undefined ? [] : [{ choice, score }];
    })
    .sort((a, b) => (query.trim() === "" ? 0 : b.score - a.score))
    .map(({ choice }) => choice);
}

/** The places of the rail and everything that the page marks with data-palette. */
function ownChoices(): Choice[] {
  const elements = document.querySelectorAll<HTMLElement>(".rail a[data-go], [data-palette]");
  return [...elements].map((target) => ({
    label: labelOf(target),
    icon: target.querySelector("use")?.getAttribute("href")?.replace(/.*#/, "") ?? "arrow-right",
    detail: "",
    hint: target.dataset["go"] ? `g ${target.dataset["go"]}` : [...target.querySelectorAll("kbd")].map((key) => key.textContent).join(" "),
    run: () => target.click(),
  }));
}

function labelOf(target: HTMLElement): string {
  const label = target.ariaLabel ?? target.querySelector(".t")?.textContent;
  if (label) return label;
  return [...target.childNodes]
    .filter((node) => node.nodeName !== "KBD")
    .map((node) => node.textContent ?? "")
    .join(" ")
    .trim();
}

/** Asks the server's search once typing rests; the links of its answer are choices. */
function searcher(scope: Scope, found: (choices: Choice[]) => void): (query: string) => void {
  const address = document.querySelector<HTMLFormElement>("form[data-search]")?.action;
  let cancel = () => {};
  return (query) => {
    cancel();
    if (!address || query.trim().length < 2) return;
    const asked = scope.child();
    cancel = () => asked.dispose();
    asked.after(rest, () => void ask(`${address}?q=${encodeURIComponent(query)}`, asked, found));
  };
}

async function ask(url: string, scope: Scope, found: (choices: Choice[]) => void): Promise<void> {
  try {
    const answer = await fetch(url, { headers: { "HX-Request": "true" }, signal: scope.signal });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    found([...page.querySelectorAll<HTMLAnchorElement>("a[href]")].map((link) => ({
      label: link.textContent?.trim() ?? "",
      icon: link.dataset["icon"] ?? "arrow-right",
      detail: link.dataset["detail"] ?? "",
      hint: "",
      run: () => location.assign(link.getAttribute("href") ?? "/"),
    })));
  } catch {
    // Typed on, closed, or no connection: the places and acts stay on offer.
  }
}
