/**
 * The merges of a SentencePiece vocabulary, which its GGUF file leaves out: each token is made of any two others that
 * it is the sum of, the best token first, as transformers' `generate_merges` has it.
 */

/** `order`: for each token how early it is made, higher first; undefined when it never is. */
export function mergesOf(tokens: readonly string[], order: readonly (number | undefined)[]): [string, string][] {
  const known = new Set(tokens);
  const merges: { order: number; pair: [string, string]; lengths: [number, number] }[] = [];
  for (const [id, token] of tokens.entries()) {
    const own = order[id];
    if (own === undefined) continue;
    const characters = Array.from(token);
    let left = token;
    for (let length = characters.length - 1; length > 0; length--) {
      left = left.slice(0, -characters[length]!.length);
      const right = token.slice(left.length);
      if (known.has(left) && known.has(right))
        merges.push({ order: own, pair: [left, right], lengths: [length, characters.length - length] });
    }
  }
  // Of one token, or among equals, the longest left part first.
  merges.sort((a, b) => b.order - a.order || b.lengths[0] - a.lengths[0] || b.lengths[1] - a.lengths[1]);
  return merges.map(({ pair }) => pair);
}
