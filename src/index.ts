/** `smaug`: preference optimisation of language models. The tensors and autograd under it are `smaug/torch`. */
export * from "./nn";
export * from "./optim";
export { HubError, type HubReason, type RepoName, type ResolveOptions, resolveFolder } from "./hub";
export * from "./models";
export * from "./text";
export * from "./generate";
export * from "./data";
export * from "./preference";
export * from "./train";
export * from "./evaluate";
export { InputError } from "./base/errors";
