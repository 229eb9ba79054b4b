/**
 * MetaMath: the response is the right answer, and the wrong one is the response with one intermediate result replaced
 * (corruption.ts). Worded as the evaluation harness words GSM8K. A response that states no final answer is not used:
 * its last result could be the answer.
 */
import { textOf } from "../fields";
import { corruptIntermediateResult, startOfFinalPart } from "./corruption";
import { type Recipe, Unusable } from "./recipe";

export const metamath: Recipe = {
  name: "metamath",
  dataset: "meta-math/MetaMathQA",
  columns: { wanted: ["query", "response", "original_question"], required: ["query", "response"] },
  form: `every row is as in MetaMathQA, such as {"query": "2 + 3?", "response": "2 + 3 = 5. #### 5 The answer is: 5"}`,
  read(row) {
    const [query, response] = [textOf(row, "query"), textOf(row, "response")];
    if (query.trim() === "") return new Unusable("the query is empty");
    if (response.trim() === "") return new Unusable("the response is empty");
    const original = row.original_question;
    return {
      // Rephrased and turned round, it is still the same question.
      subject: typeof original === "string" && original !== "" ? original : query,
      prompt: `Question: ${query}\nAnswer:`,
      answer: [" ", response].join(""), // joined, not added: what is added stays in pieces, slow to walk through
      wrong(random) {
        if (startOfFinalPart(response) === undefined)
          return new Unusable("the response states no final answer ('####' or 'The answer is')");
        const corrupted = corruptIntermediateResult(response, random);
        return corrupted ? [[" ", corrupted.text].join("")] : new Unusable("the response has no intermediate result ('= 12')");
      },
    };
  },
};
