import assert from "node:assert/strict";
import { test } from "node:test";

import { isStroke, parseChord, type Pressed } from "./chords";

function press(key: string, more: Partial<Pressed> = {}): Pressed {
  return { key, code: "", ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more };
}

function matches(chord: string, pressed: Pressed): boolean {
  const [stroke] = parseChord(chord);
  assert.ok(stroke);
  return isStroke(stroke, pressed);
}

test("a chord is strokes with the modifiers before each", () => {
  assert.deepEqual(parseChord("Ctrl Shift Z"), [{ ctrl: true, alt: false, shift: true, key: "z" }]);
  assert.deepEqual(parseChord("g q").map(({ key }) => key), ["g", "q"]);
  assert.deepEqual(parseChord("Del").map(({ key }) => key), ["delete"]);
});

test("Command stands in for Ctrl", () => {
  assert.ok(matches("Ctrl K", press("k", { ctrlKey: true })));
  assert.ok(matches("Ctrl K", press("k", { metaKey: true })));
  assert.ok(!matches("Ctrl K", press("k")));
  assert.ok(!matches("k", press("k", { ctrlKey: true })));
});

test("Shift tells letters apart but not signs", () => {
  assert.ok(!matches("Ctrl Z", press("Z", { ctrlKey: true, shiftKey: true })));
  assert.ok(matches("Ctrl Shift Z", press("Z", { ctrlKey: true, shiftKey: true })));
  assert.ok(matches("?", press("?", { shiftKey: true })));
  assert.ok(matches("?", press("?")));
});

test("a shifted digit is known by its place on the keyboard", () => {
  assert.ok(matches("Shift 1", press("!", { code: "Digit1", shiftKey: true })));
  assert.ok(!matches("1", press("!", { code: "Digit1", shiftKey: true })));
});

test("a sign typed with AltGr is the sign", () => {
  assert.ok(matches("[", press("[", { ctrlKey: true, altKey: true, getModifierState: (name) => name === "AltGraph" })));
});
