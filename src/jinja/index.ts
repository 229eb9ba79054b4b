/** Jinja2's templates, as transformers and lm-evaluation-harness render them. */
export { Environment, type FilterFunction } from "./environment";
export { JinjaError } from "./errors";
export { TemplateRefusal } from "./globals";
export { limitReason, limits, parseReason } from "./limits";
export { signature } from "./signature";
export { capitalize, SPACE_CLASS, strip, WORD_CLASS } from "./strings";
export { CHAT_ENVIRONMENT, type Rendering, strictEnvironment, Template } from "./template";
export { PyFloat, textOf, type Value } from "./values";
