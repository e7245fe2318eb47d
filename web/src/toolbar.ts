/** The formatting buttons: one stop in the tab order, with arrow keys inside (the WAI-ARIA toolbar pattern). */
import type { Editor } from '@tiptap/core';
import { html, LitElement, type PropertyValues, type SVGTemplateResult, unsafeCSS } from 'lit';
import { icons } from './icons';
import styles from './toolbar.css?inline';

interface Tool {
  readonly id: string;
  readonly label: string;
  /** As shown to the person; "Mod" stands for Ctrl or ⌘. */
  readonly keys?: string;
  readonly icon: SVGTemplateResult;
  run(editor: Editor): void;
  active?(editor: Editor): boolean;
  possible?(editor: Editor): boolean;
}

const mark = (id: string, label: string, keys: string, icon: SVGTemplateResult): Tool => ({
  id,
  label,
  keys,
  icon,
  run: editor => editor.commands.toggleMark(id),
  active: editor => editor.isActive(id),
});

const heading = (level: 1 | 2 | 3, icon: SVGTemplateResult): Tool => ({
  id: `heading${level}`,
  label: `H${level} heading`,
  keys: `Mod+Alt+${level}`,
  icon,
  run: editor => editor.commands.toggleHeading({ level }),
  active: editor => editor.isActive('heading', { level }),
});

const GROUPS: readonly (readonly Tool[])[] = [
  [
    {
      id: 'undo',
      label: 'Undo',
      keys: 'Mod+Z',
      icon: icons.undo,
      run: editor => editor.commands.undo(),
      possible: editor => editor.can().undo(),
    },
    {
      id: 'redo',
      label: 'Redo',
      keys: 'Mod+Shift+Z',
      icon: icons.redo,
      run: editor => editor.commands.redo(),
      possible: editor => editor.can().redo(),
    },
  ],
  [heading(1, icons.heading1), heading(2, icons.heading2), heading(3, icons.heading3)],
  [
    mark('bold', 'Bold', 'Mod+B', icons.bold),
    mark('italic', 'Italic', 'Mod+I', icons.italic),
    mark('underline', 'Underline', 'Mod+U', icons.underline),
    mark('strike', 'Strikethrough', 'Mod+Shift+S', icons.strike),
    mark('code', 'Code', 'Mod+E', icons.code),
    {
      id: 'link',
      label: 'Link',
      keys: 'Mod+K',
      icon: icons.link,
      run: editor => editor.view.dom.dispatchEvent(new Event('collab-link-wanted', { bubbles: true })),
      active: editor => editor.isActive('link'),
    },
  ],
  [
    {
      id: 'bulletList',
      label: 'Bulleted list',
      keys: 'Mod+Shift+8',
      icon: icons.bullets,
      run: editor => editor.commands.toggleBulletList(),
      active: editor => editor.isActive('bulletList'),
    },
    {
      id: 'orderedList',
      label: 'Numbered list',
      keys: 'Mod+Shift+7',
      icon: icons.numbers,
      run: editor => editor.commands.toggleOrderedList(),
      active: editor => editor.isActive('orderedList'),
    },
    {
      id: 'blockquote',
      label: 'Quote',
      keys: 'Mod+Shift+B',
      icon: icons.quote,
      run: editor => editor.commands.toggleBlockquote(),
      active: editor => editor.isActive('blockquote'),
    },
    {
      id: 'codeBlock',
      label: 'Code block',
      keys: 'Mod+Alt+C',
      icon: icons.codeBlock,
      run: editor => editor.commands.toggleCodeBlock(),
      active: editor => editor.isActive('codeBlock'),
    },
    {
      id: 'rule',
      label: 'Divider',
      icon: icons.rule,
      run: editor => editor.commands.setHorizontalRule(),
    },
  ],
];

const TOOLS = GROUPS.flat();
const APPLE = /Mac|iPhone|iPad/.test(navigator.userAgent);

export class CollabToolbar extends LitElement {
  static override properties = {
    editor: { attribute: false },
    current: { state: true },
  };
  static override styles = unsafeCSS(styles);

  declare editor: Editor | null;
  /** Index of the button that Tab reaches. */
  declare current: number;

  constructor() {
    super();
    this.editor = null;
    this.current = 0;
  }

  override focus(): void {
    this.#button(this.current)?.focus({ focusVisible: true } as FocusOptions); // it is reached by Alt+F10 alone
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.editor?.off('transaction', this.#changed);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.editor?.off('transaction', this.#changed);
    this.editor?.on('transaction', this.#changed);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('editor')) return;
    changed.get('editor')?.off('transaction', this.#changed);
    this.editor?.off('transaction', this.#changed);
    this.editor?.on('transaction', this.#changed);
  }

  protected override render() {
    let index = 0;
    return html`
      <div class="bar" role="toolbar" aria-label="Formatting" @keydown=${this.#keyPressed}>
        ${GROUPS.map(group => html`<div class="group">${group.map(tool => this.#tool(tool, index++))}</div>`)}
      </div>`;
  }

  #tool(tool: Tool, index: number) {
    const { editor } = this;
    const usable = editor !== null && !editor.isDestroyed;
    const possible = usable && (tool.possible?.(editor) ?? true);
    const keys = tool.keys?.replace('Mod', APPLE ? '⌘' : 'Ctrl');
    return html`
      <button type="button" data-tool=${tool.id} tabindex=${index === this.current ? 0 : -1}
        aria-label=${tool.label} title=${keys === undefined ? tool.label : `${tool.label} (${keys})`}
        aria-pressed=${tool.active === undefined ? 'undefined' : String(usable && tool.active(editor))}
        aria-disabled=${String(!possible)}
        @mousedown=${keepSelection} @focus=${() => this.#setCurrent(index)}
        @click=${(event: MouseEvent) => possible && this.#use(tool, event)}>${tool.icon}</button>`;
  }

  #use(tool: Tool, event: MouseEvent): void {
    if (this.editor === null) return;
    // After a mouse click the focus returns to the text; with the keyboard it stays here until Escape.
    if (event.detail > 0) this.editor.commands.focus(undefined, { scrollIntoView: false });
    tool.run(this.editor);
  }

  #setCurrent(index: number): void {
    this.current = index;
  }

  readonly #changed = (): void => this.requestUpdate();

  readonly #keyPressed = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') {
      this.editor?.commands.focus();
      return;
    }
    const last = TOOLS.length - 1;
    const to = {
      ArrowRight: this.current === last ? 0 : this.current + 1,
      ArrowLeft: this.current === 0 ? last : this.current - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#button(to)?.focus();
  };

  #button(index: number): HTMLElement | undefined {
    return this.renderRoot.querySelectorAll('button')[index];
  }
}

/** Keep the selection in the text while a button is pressed. */
function keepSelection(event: MouseEvent): void {
  event.preventDefault();
}

if (customElements.get('collab-toolbar') === undefined)
  customElements.define('collab-toolbar', CollabToolbar);
