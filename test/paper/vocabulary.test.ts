import fc from "fast-check";
import { expect, test } from "vitest";
import { splitIntoPieces, Vocabulary } from "../../src/paper/vocabulary";

test("pieces are words and signs with the space on either side, and single digits", () => {
  expect(splitIntoPieces("28 + 10 = 38. #### 38").join("|")).toBe("2|8| + |1|0| = |3|8|. |#### |3|8");
  expect(splitIntoPieces("Zoe has 5 stars.\nYes").join("|")).toBe("Zoe |has |5| stars|.|\n|Yes");
});

test("every text comes back as it was", () => {
  const unit = fc.constantFrom("a", "é", " ", "\n", "7", "🦙", ".", "\u0301");
  const texts = fc.array(fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit })), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(texts, fc.integer({ min: 0, max: 4 }), (texts, maxPieces) => {
      const vocabulary = Vocabulary.of(texts, maxPieces);
      for (const text of texts) expect(vocabulary.decode(vocabulary.encode(text))).toBe(text);
    }),
  );
});

test("ids are below the size, and the end token is none of them", () => {
  const vocabulary = Vocabulary.of(["one two two", "two one"]);
  const ids = vocabulary.encode("two one");
  expect(ids.every((id) => id < vocabulary.size && id !== vocabulary.endId)).toBe(true);
  expect(vocabulary.decode([...vocabulary.encode("two"), vocabulary.endId])).toBe("two");
});

test("the most frequent pieces stay whole, others are spelled", () => {
  const vocabulary = Vocabulary.of(["the the the cat"], 1);
  expect(vocabulary.encode("the ").map((id) => vocabulary.piece(id))).toEqual(["the "]);
  expect(vocabulary.encode("cat").map((id) => vocabulary.piece(id))).toEqual(["c", "a", "t"]);
  expect(vocabulary.encode("tac").map((id) => vocabulary.piece(id))).toEqual(["t", "a", "c"]); // never seen as a piece
});

test("is the same for the same texts", () => {
  const texts = ["b a", "a b c"];
  expect(Vocabulary.of(texts).encode("a b c")).toEqual(Vocabulary.of(texts).encode("a b c"));
});

test("a piece of none of its texts, and an id out of range", () => {
  const vocabulary = Vocabulary.of(["abc"]);
  expect(() => vocabulary.encode("q")).toThrow(/Expected a piece of the vocabulary's texts but received "q"/);
  expect(() => vocabulary.piece(vocabulary.size)).toThrow(RangeError);
});
