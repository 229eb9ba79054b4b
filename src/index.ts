/** `smaug`: preference optimisation of language models. The tensors and autograd under it are `smaug/torch`. */

export { InputError } from "./base/errors";
export * from "./data";
export * from "./evaluate";
export * from "./generate";
export { HubError, type HubReason, type RepoName, type ResolveOptions, resolveFolder } from "./hub";
export * from "./models";
export * from "./nn";
export * from "./optim";
export * from "./preference";
export * from "./text";
export * from "./train";
