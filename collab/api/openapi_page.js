// Copies the lines for a shell, and sends the requests of the "Try it" forms. The page is whole without it.
"use strict";

const root = location.pathname.replace(/api\/v1\/docs\/?$/, "");
const token = document.querySelector("[name=token]");

for (const each of document.querySelectorAll("[hidden]")) each.hidden = false;

for (const button of document.querySelectorAll("button.copy")) {
  const code = button.parentElement.querySelector("code");
  button.addEventListener("click", async () => {
    button.textContent = (await copied(code)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}

for (const form of document.forms) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    await show(form.querySelector("output"), () => send(form));
    button.disabled = false;
  });
}

async function copied(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    // Without TLS a browser has no clipboard for scripts.
    getSelection().selectAllChildren(code);
    return document.execCommand("copy");
  }
}

function send(form) {
  const headers = new Headers();
  const query = new URLSearchParams();
  let path = form.dataset.path;
  let body;
  if (token.value) headers.set("Authorization", `Bearer ${token.value.trim()}`);
  for (const field of form.querySelectorAll("[data-in]")) {
    const { in: place, type } = field.dataset;
    if (place === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
    if (place === "query" && field.value) query.set(field.name, field.value);
    if (place === "header" && field.value) headers.set(field.name, field.value);
    if (place === "body") {
      headers.set("Content-Type", type);
      body = field.files ? field.files[0] : field.value;
    }
  }
  const search = query.size ? `?${query}` : "";
  return fetch(root + path.slice(1) + search, { method: form.dataset.method, headers, body, cache: "no-store" });
}

async function show(output, request) {
  const heading = document.createElement("p");
  const block = document.createElement("pre");
  const code = block.appendChild(document.createElement("code"));
  try {
    const answer = await request();
    heading.textContent = `${answer.status} ${answer.statusText}`.trim();
    code.textContent = await readable(answer);
  } catch (error) {
    heading.textContent = "No answer";
    code.textContent = `The server cannot be reached. Is it running? (${error.message})`;
  }
  output.replaceChildren(heading, ...(code.textContent ? [block] : []));
}

async function readable(answer) {
  const type = answer.headers.get("Content-Type") ?? "";
  const body = await answer.blob();
  if (body.size === 0) return "";
  if (type.includes("json")) return JSON.stringify(JSON.parse(await body.text()), null, 2);
  return type.startsWith("text/") ? body.text() : `${type}, ${body.size} bytes`;
}
