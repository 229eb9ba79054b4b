/** Generation: greedy and sampled answers, in batches, whole or token by token. */
export {
  type FinishReason,
  type GeneratedToken,
  type Generation,
  generate,
  generateStream,
  generateSync,
} from "./generate";
export type { GenerateOptions } from "./options";
