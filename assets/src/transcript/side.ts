// What stands beside the text: moments, where it began from, what breaks the rules, the keys.
import type { ClassInfo, Heard, Neighbor, SoundInfo } from "../boxes/contract";
import type { Keys } from "../boxes/keys";
import type { Box } from "../boxes/model";
import { element, icon } from "../shared/dom";
import { check, type Finding, type Rules, unitAt } from "./rules";
import type { Part } from "./script";
import { stretch } from "./time";
import { doubtOf, doubts, type Timing } from "./timing";

/** "whole", or "8.6–14.5 s". */
export function placeOf(moment: Box, seconds: number): string {
  const whole = moment.x < 0.01 && moment.x + moment.w > seconds - 0.01;
  return (whole ? "whole" : stretch(moment.x, moment.x + moment.w)) + (moment.y > 0 ? `, channel ${moment.y}` : "");
}

/** The classes with their keys, and where each is marked. */
export function momentRows(classes: readonly ClassInfo[], moments: readonly Box[], seconds: number): HTMLElement[] {
  if (classes.length === 0) return [element("li", { class: "none" }, "No class of moments is in the guideline: here only the words are written down.")];
  return classes.map((info) => {
    const here = moments.filter((m) => m.class === info.id).sort((a, b) => a.x - b.x);
    const keys = info.key === "" ? [] : [element("kbd", {}, "Alt"), element("kbd", {}, info.key)];
    const button = element(
      "button",
      { type: "button", class: `mark-class c${info.slot}`, "data-class": String(info.id) },
      element("span", { class: "caps" }, ...keys),
      element("span", { class: "sw" }),
      element("span", { class: "t" }, info.name),
      element("span", { class: "n faint" }, here.length === 0 ? "–" : ""),
    );
    const places = here.map((m) => place(m, info.name, seconds));
    const beside = places.length < 2 && here.every((m) => m.y === 0); // with its channel a place needs a line of its own
    if (beside) return element("li", { class: "one" }, button, ...places.flatMap((p) => [...p.children]));
    return element("li", {}, button, element("ul", { class: "places" }, ...places));
  });
}

/** What was said before an utterance, or after it, each line to be heard. */
export function aroundRows(around: readonly Neighbor[], before: boolean): HTMLElement[] {
  return around.filter((n) => n.begin < 0 === before).map((n) => {
    const channel = n.channel === 0 ? [] : [element("span", { class: "faint" }, `ch ${n.channel}`)];
    const said = n.text === "" ? element("span", { class: "faint" }, "nothing is said") : element("span", { class: "t" }, n.text);
    const hear = `Hear what was said ${before ? "before" : "after"}: ${n.text}`;
    return element("li", {}, element("button", { type: "button", "data-around": `${n.begin} ${n.end}`, "aria-label": hear }, icon("play"), ...channel, said));
  });
}

function place(moment: Box, name: string, seconds: number): HTMLElement {
  const text = placeOf(moment, seconds);
  const go = element("button", { type: "button", class: "go n", "data-go": moment.id, "aria-label": `Hear ${name}, ${text}` }, text);
  const drop = element("button", { type: "button", class: "btn bare icon", "data-drop": moment.id, "aria-label": `Take away ${name}, ${text}` }, icon("x"));
  return element("li", {}, go, drop);
}

/** Where the text began from, as far as its labeler may know. */
export function originRows(sound: SoundInfo, heard: readonly Heard[], timing: Timing, revealable: boolean): HTMLElement[] {
  const [first] = heard;
  if (!first) return silence(sound, revealable);
  const rows: [string, string][] = [["Hypothesis", named(first)]];
  if (sound.picked !== "") rows.push(["Picked for", sound.picked]);
  rows.push([sound.mode === "edit" ? "Your edits" : "It differs in", `${timing.edits} ${timing.edits === 1 ? "word" : "words"} of ${timing.of}`]);
  if (heard.length > 1) rows.push(["Others", heard.slice(1).map(named).join("; ")]);
  const facts = element("dl", { class: "facts" }, ...rows.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, value)]));
  if (sound.mode === "reveal") return [facts, element("p", { class: "quiet" }, "You wrote before you looked. What it heard stands under the waveform; the words in which you differ are marked.")];
  const models = heard.map((h) => h.model).filter((m) => m !== "").join(", ");
  const flag = models === "" ? [] : [element("p", { class: "st info" }, icon("flag"), `Scores of ${models} on it are flagged`)];
  return [facts, ...flag];
}

function named(heard: Heard): string {
  const sure = heard.confidence === null ? "" : `, confidence ${heard.confidence.toFixed(2)}`;
  return (heard.model === "" ? "of unnamed origin" : heard.model) + sure;
}

function silence(sound: SoundInfo, revealable: boolean): HTMLElement[] {
  if (sound.mode === "edit") return [element("p", { class: "quiet" }, "Silence: no model has heard this utterance.")];
  if (!revealable) return [element("p", { class: "quiet" }, "Silence: what a model heard is not shown, so that every word is your own.")];
  return [
    element("p", { class: "quiet" }, "Silence. Once your own words are saved you may look at what a model heard."),
    element("button", { type: "button", class: "btn", "data-act": "reveal" }, icon("eye"), "Show it", element("kbd", {}, "Alt"), element("kbd", {}, "R")),
  ];
}

/** How sure the hypothesis was, by its marks. */
export function confidenceRow(timing: Timing, heard: readonly Heard[]): HTMLElement[] {
  const words = heard[0]?.words ?? [];
  const sure = words.map((w) => w.confidence).filter((c) => c !== null);
  if (sure.length === 0) return [];
  const left = [1, 2, 3].map((d) => timing.words.filter((w) => doubtOf(w.confidence) === d).length);
  const names = [`below ${doubts[0].toFixed(2)}`, `${doubts[0].toFixed(2)} to ${doubts[1].toFixed(2)}`, `${doubts[1].toFixed(2)} to ${doubts[2].toFixed(2)}`];
  const mean = sure.reduce((sum, c) => sum + c, 0) / sure.length;
  return [
    element("span", {}, "Confidence"),
    ...names.map((name, i) => element("span", {}, element("span", { class: `wd k${i + 1}` }, name), ` ${left[i]}`)),
    element("span", { class: "push n" }, `${words.length === 1 ? "1 word" : `${words.length} words`}, mean ${mean.toFixed(2)}`),
  ];
}

/** What of the segments breaks the rules. */
export function faultsOf(rules: Rules, parts: readonly Part[]): Map<number, Finding[]> {
  const faults = new Map<number, Finding[]>();
  parts.forEach((part, i) => {
    const found = part.text.trim() === "" ? [] : check(rules, part.text);
    if (found.length > 0) faults.set(i, found);
  });
  return faults;
}

/** The places of findings in the units of a string. */
export function unitsOf(faults: ReadonlyMap<number, readonly Finding[]>, parts: readonly Part[]): Map<number, [number, number][]> {
  return new Map([...faults].map(([i, found]) => {
    const text = parts[i]?.text ?? "";
    return [i, found.map((f): [number, number] => [unitAt(text, f.first), unitAt(text, f.last)])];
  }));
}

const mostFaults = 8;

export function faultRows(faults: ReadonlyMap<number, readonly Finding[]>, parts: readonly Part[]): HTMLElement[] {
  const all = [...faults].flatMap(([segment, found]) => found.map((finding) => ({ segment, finding })));
  const rows = all.slice(0, mostFaults).map(({ segment, finding }) => {
    const text = parts[segment]?.text ?? "";
    const [from, to] = [unitAt(text, finding.first), unitAt(text, finding.last)];
    const said = text.slice(from, to);
    const button = element("button", { type: "button", "data-fault": `${segment} ${from} ${to}` }, icon("triangle-alert"), ...(said === "" ? [] : [element("b", {}, said)]), element("span", {}, finding.sentence));
    return element("li", {}, button);
  });
  if (all.length > mostFaults) rows.push(element("li", { class: "faint" }, `and ${all.length - mostFaults} more`));
  return rows;
}

const shownKeys: readonly [string, readonly string[]][] = [
  ["Play, pause", ["play"]],
  ["Back by 2 s", ["back"]],
  ["Slower, faster", ["slower", "faster"]],
  ["Doubtful word, back and on", ["previous-doubt", "next-doubt"]],
  ["Hear the word", ["hear-word"]],
  ["[unintelligible]", ["unintelligible"]],
];

/** The few keys that are used all day, as this person has them. */
export function keyRows(keys: Keys): HTMLElement[] {
  return shownKeys.flatMap(([label, ids]) => {
    const chords = ids.map((id) => keys.rows.find((k) => k.id === id)).flatMap((k) => (k ? [keys.chord(k)] : []));
    const caps = chords.flatMap((c, i) => shortened(c, chords[i - 1])).map((c) => element("kbd", {}, c));
    return [element("dt", {}, label), element("dd", {}, ...caps)];
  });
}

// "Ctrl ," and "Ctrl ." are shown as Ctrl , .
function shortened(chord: string, before: string | undefined): string[] {
  const parts = chord.split(" ");
  const same = before?.split(" ").slice(0, -1).join(" ") === parts.slice(0, -1).join(" ");
  return same ? parts.slice(-1) : parts;
}
