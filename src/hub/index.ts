/** The Hugging Face hub: from the name of a model or data set to a folder on this disk. No tensors. */
export { HubError, type HubReason } from "./errors";
export { DATA_ENDINGS, type Files, type RepoKind, type RepoName, repoName } from "./request";
export { type ResolveOptions, resolveFolder } from "./resolve";
