/** Weights stored as pickles, Python's format of objects. smaug does not read them: opening one can run code. */

/** The files that hold weights as pickles. */
export function pickledWeights(paths: readonly string[]): string[] {
  return paths.filter((path) => /\.(bin|pt|pth|ckpt)$/.test(path) && !/(^|\/)(training_args|optimizer|scheduler)/.test(path));
}

/**
 * The error for weights stored only as pickles, with the command that converts them.
 *
 * @param expected what was looked for and where, such as "*.safetensors in owner/name"
 * @param received the pickles
 * @param program in Python, from `convertModel` or `convertAdapter`
 */
export function pickledMessage(expected: string, received: string, program: string): string {
  return (
    `Expected ${expected} but received ${received}: such a file can run code when it is opened. ` +
    `Convert it, if you trust it, with\n  python -c "${program}"`
  );
}

/**
 * The Python program that converts a model's weights.
 *
 * @param source the model as arguments of `from_pretrained`
 * @param folder where the converted model is written
 */
export function convertModel(source: string, folder: string): string {
  return (
    "from transformers import AutoModelForCausalLM as M; " +
    `M.from_pretrained(${source}, dtype='auto').save_pretrained('${folder}')`
  );
}

/**
 * The Python program that converts an adapter's weights.
 *
 * @param source the pickle's path, a Python expression
 * @param file where the converted weights are written
 */
export function convertAdapter(source: string, file: string): string {
  return (
    "import torch; from safetensors.torch import save_file; " + `save_file(torch.load(${source}, weights_only=True), '${file}')`
  );
}
