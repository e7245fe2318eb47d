/* Runs before the page is drawn, so that a chosen theme does not flash. `src/pages/theme.ts` changes it. */
try {
  document.documentElement.dataset.theme = localStorage.getItem('collab-theme') ?? 'system';
} catch {
  // storage is blocked: the page follows the system
}
