/** The icons on buttons: 20 × 20, stroked in the colour of the text. */
import { type SVGTemplateResult, svg } from 'lit';

const drawing = (body: SVGTemplateResult): SVGTemplateResult => svg`
  <svg viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.6"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${body}</svg>`;

const letter = (text: string, style: string): SVGTemplateResult => svg`
  <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
    <text x="10" y="15" text-anchor="middle" fill="currentColor" class=${`letter ${style}`}>${text}</text>
  </svg>`;

export const icons = {
  undo: drawing(svg`<path d="M6.8 4.5 3.5 7.8l3.3 3.3M3.8 7.8h8.1a4.1 4.1 0 0 1 0 8.2H8.5" />`),
  redo: drawing(svg`<path d="m13.2 4.5 3.3 3.3-3.3 3.3M16.2 7.8H8.1a4.1 4.1 0 0 0 0 8.2h3.4" />`),
  heading1: letter('H1', 'heading'),
  heading2: letter('H2', 'heading'),
  heading3: letter('H3', 'heading'),
  bold: letter('B', 'bold'),
  italic: letter('I', 'italic'),
  underline: letter('U', 'underline'),
  strike: letter('S', 'strike'),
  code: drawing(svg`<path d="m7 6-4 4 4 4M13 6l4 4-4 4" />`),
  link: drawing(
    svg`<path d="m8.2 11.8 3.6-3.6M9.4 6.3l1.7-1.7a3.05 3.05 0 0 1 4.3 4.3l-1.7 1.7M10.6 13.7l-1.7 1.7a3.05 3.05 0 0 1-4.3-4.3l1.7-1.7" />`,
  ),
  bullets: drawing(
    svg`<path d="M8 5.5h9M8 10h9M8 14.5h9M3.6 5.5h.01M3.6 10h.01M3.6 14.5h.01" stroke-width="1.8" />`,
  ),
  numbers: drawing(
    svg`<path d="M9 5.5h8M9 10h8M9 14.5h8" /><path d="M3 4.6 4.3 4v4M3 12.6c.2-1.4 2.4-1.2 2.2.1C5.1 13.5 3 14.6 3 16h2.4" stroke-width="1.2" />`,
  ),
  quote: drawing(svg`<path d="M4 4.500v11M8 6.500h9M8 10h9M8 13.500h6" />`),
  codeBlock: drawing(
    svg`<rect x="2.8" y="4" width="14.4" height="12" rx="2" /><path d="M8 8 6 10l2 2M12 8l2 2-2 2" stroke-width="1.4" />`,
  ),
  rule: drawing(svg`<path d="M3 10h14" /><path d="M5 5.500h10M5 14.500h10" opacity=".4" />`),
};
