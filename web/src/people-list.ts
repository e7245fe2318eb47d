/** The people in the document: a row of round badges that opens a list of their names. */
import { html, LitElement, unsafeCSS } from 'lit';
import { inkOn } from './colours';
import { initials, type Person } from './people';
import styles from './people-list.css?inline';

const BADGES_MAX = 4;

export class CollabPeople extends LitElement {
  static override properties = {
    people: { attribute: false },
  };
  static override styles = unsafeCSS(styles);

  declare people: readonly Person[];

  constructor() {
    super();
    this.people = [];
  }

  protected override render() {
    if (this.people.length === 0) return null;
    const badges = this.people.slice(0, this.people.length > BADGES_MAX ? BADGES_MAX - 1 : BADGES_MAX);
    const hidden = this.people.length - badges.length;
    const count = this.people.length === 1 ? 'Only you are here' : `${this.people.length} people here`;
    return html`
      <button type="button" popovertarget="list" aria-label=${`${count}: show names`}
        title=${this.people.map(person => person.name).join(', ')}>
        ${badges.map(badge)}${hidden > 0 ? html`<span class="badge more" aria-hidden="true" data-letters=${`+${hidden}`}></span>` : null}
      </button>
      <div id="list" popover>
        <h2>${count}</h2>
        <ul>${this.people.map(person => this.#entry(person))}</ul>
      </div>`;
  }

  #entry(person: Person) {
    if (person.self)
      return html`<li><span class="entry">${badge(person)}<span>${person.name} (you)</span></span></li>`;
    const find = (): void => {
      this.renderRoot.querySelector<HTMLElement>('#list')?.hidePopover();
      this.dispatchEvent(new CustomEvent<Person>('find-person', { detail: person }));
    };
    return html`
      <li><button type="button" class="entry" title=${`Go to ${person.name}’s cursor`} @click=${find}>
        ${badge(person)}<span>${person.name}</span>
      </button></li>`;
  }
}

function badge(person: Person) {
  // The letters are drawn by the style sheet: as text, people who speak to their computer would take them for the name.
  const letters = initials(person.name);
  return html`<span class="badge" aria-hidden="true" data-letters=${letters}
    .style=${`--badge: ${person.colour}; --badge-ink: ${inkOn(person.colour)}`}></span>`;
}

if (customElements.get('collab-people') === undefined) customElements.define('collab-people', CollabPeople);
