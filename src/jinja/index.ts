/** Jinja2's templates, as transformers and lm-evaluation-harness render them. */
export { Environment, type FilterFunction } from "./environment";
export { JinjaError } from "./errors";
export { TemplateRefusal } from "./globals";
export { limitReason, limits, parseReason } from "./limits";
export { CHAT_ENVIRONMENT, type Rendering, Template, strictEnvironment } from "./template";
export { signature } from "./signature";
export { SPACE_CLASS, WORD_CLASS, capitalize, strip } from "./strings";
export { PyFloat, type Value, textOf } from "./values";
