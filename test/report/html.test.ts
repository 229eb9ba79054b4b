import { describe, expect, test } from "vitest";
import { Html, html } from "../../src/report/html";

describe("html", () => {
  test("escapes what is put in, in text and in attributes", () => {
    const text = `<script>"a" & 'b'</script>`;
    expect(html`<p title="${text}">${[text, 1]}</p>`.text).toBe(
      `<p title="&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;">` +
        `&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;1</p>`,
    );
  });

  test("leaves HTML as it is", () => {
    expect(html`<ul>${["a", "<"].map((item) => html`<li>${item}</li>`)}${new Html("<hr>")}</ul>`.text).toBe(
      "<ul><li>a</li><li>&lt;</li><hr></ul>",
    );
  });
});
