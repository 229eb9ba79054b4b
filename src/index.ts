/** `smaug`: preference optimisation of language models. The tensors and autograd under it are `smaug/torch`. */
export * from "./nn";
export * from "./optim";
export * from "./models";
export * from "./text";
export * from "./preference";
export { InputError } from "./native/errors";
