import assert from "node:assert/strict";
import { test } from "node:test";
import { chordOf, familyOf, Keys, type Mode, type Press, table } from "./keys";

const press = (key: string, code: string, held = ""): Press => ({
  key,
  code,
  ctrlKey: held.includes("c"),
  metaKey: held.includes("m"),
  altKey: held.includes("a"),
  shiftKey: held.includes("s"),
  getModifierState: (name) => name === "AltGraph" && held.includes("g"),
});

test("no chord starts two actions, in any mode", () => {
  for (const mode of ["label", "review", "view"] as Mode[]) {
    const seen = new Map<string, string>();
    for (const key of table.filter((k) => k.modes.includes(mode))) {
      for (const chord of [key.chord, ...(key.also ?? [])]) {
        assert.ok(!seen.has(chord), `${chord}: ${key.id} and ${seen.get(chord)}`);
        seen.set(chord, key.id);
      }
    }
  }
  assert.equal(new Set(table.map((k) => k.id)).size, table.length);
});

test("chords are read the same from different boards", () => {
  const cases: [Press, string][] = [
    [press("b", "KeyB"), "b"],
    [press("B", "KeyB"), "b"],
    [press("B", "KeyB", "s"), "Shift B"],
    [press("z", "KeyZ", "c"), "Ctrl Z"],
    [press("Z", "KeyZ", "cs"), "Ctrl Shift Z"],
    [press("z", "KeyZ", "m"), "Ctrl Z"],
    [press("&", "Digit1"), "1"],
    [press("!", "Digit1", "s"), "Shift 1"],
    [press("[", "Digit8", "cag"), "8"],
    [press("]", "BracketRight"), "]"],
    [press("?", "Slash", "s"), "?"],
    [press("+", "Equal", "s"), "+"],
    [press(" ", "Space"), "Space"],
    [press("ArrowLeft", "ArrowLeft", "as"), "Alt Shift ArrowLeft"],
    [press("Enter", "Enter", "c"), "Ctrl Enter"],
  ];
  for (const [p, want] of cases) assert.equal(chordOf(p), want);
  assert.equal(familyOf("Alt Shift ArrowLeft"), "Alt Shift Arrows");
});

test("a person's own chord wins, and frees the default", () => {
  const keys = new Keys("label", { draw: "r", skip: "b" });
  assert.equal(keys.find("r")?.id, "draw");
  assert.equal(keys.find("b")?.id, "skip");
  assert.equal(keys.find("x"), null);
  assert.equal(keys.taken("t", "draw")?.id, "tighten");
  assert.equal(keys.taken("r", "draw"), null);
});

test("families of keys and keys of the mode only", () => {
  const keys = new Keys("review", {});
  assert.equal(keys.find("Alt ArrowUp")?.id, "grow");
  assert.equal(keys.find("3"), null);
  assert.equal(keys.find("Ctrl Enter"), null);
  assert.equal(new Keys("label", {}).find("3")?.id, "class");
  assert.equal(keys.find("a"), null, "no page has bound it");
  for (const id of ["approve", "take", "leave-out"]) keys.add(id);
  assert.equal(keys.find("a")?.id, "approve");
  assert.equal(keys.find("3")?.id, "take");
  assert.equal(keys.find("0")?.id, "leave-out");
  assert.equal(new Keys("review", { "leave-out": "y" }).find("a"), null);
});
