/** What every report is: one HTML file that loads nothing and runs nothing. */
import { Html, html } from "./html";
import { STYLE } from "./style";

/** A whole page with these sections in its body. */
export function page(title: string, sections: readonly Html[], style = STYLE): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
${sections.map(
  (section) => html`${section}
`,
)}</body>
</html>
`.text;
}
