/** Jinja2's templates, as transformers and lm-evaluation-harness render them. */
export { Environment, type FilterFunction } from "./environment";
export { JinjaError } from "./errors";
export { TemplateRefusal } from "./globals";
export { TemplateLimitError, limitReason } from "./limits";
export { CHAT_ENVIRONMENT, type Rendering, Template, TemplateExpression, strictEnvironment } from "./template";
export { literalEval } from "./literal";
export { signature } from "./signature";
export { capitalize, strip } from "./strings";
export { PyFloat, type Value, textOf, toJs } from "./values";
