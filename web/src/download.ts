/** Download the text as an HTML file, for when it can no longer be saved. */
export function downloadCopy(documentName: string, body: string): void {
  const page = document.implementation.createHTMLDocument(documentName);
  page.body.innerHTML = body;
  const blob = new Blob([`<!doctype html>\n<meta charset="utf-8">\n${page.documentElement.outerHTML}`], {
    type: 'text/html',
  });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = `${documentName.replace(/[\\/:*?"<>|]+/g, ' ').trim() || 'document'}.html`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
