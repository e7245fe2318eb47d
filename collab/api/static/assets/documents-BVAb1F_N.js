import{S as e,b as t,c as n,d as r,i,l as a,n as o,r as s,s as c,t as l,y as u}from"./welcome-zIFxMhGo.js";var d=[[`minute`,60],[`hour`,3600],[`day`,86400]],f=new Intl.RelativeTimeFormat(`en`,{numeric:`auto`}),p=new Intl.DateTimeFormat(`en`,{dateStyle:`medium`});function m(e,t){let n=(t.getTime()-e.getTime())/1e3;if(Number.isNaN(n))return``;if(n<60)return`just now`;if(n>=604800)return p.format(e);let[r,i]=d.findLast(([,e])=>n>=e)??[`minute`,60];return f.format(-Math.floor(n/i),r)}var h=class extends Error{status;constructor(e,t){super(t),this.status=e}},g=100,_=class{#e;constructor(e){this.#e=e}async list(e){let t=new URLSearchParams({limit:String(g)});return e!==null&&t.set(`after`,e),(await this.#t(`GET`,`documents?${t}`)).json()}async create(e){await this.#t(`POST`,`documents`,{name:e})}async remove(e){await this.#t(`DELETE`,`documents/${encodeURIComponent(e)}`)}async#t(e,t,n){let r={Authorization:`Bearer ${this.#e}`};n!==void 0&&(r[`Content-Type`]=`application/json`);let i;try{i=await fetch(new URL(`api/v1/${t}`,document.baseURI),{method:e,headers:r,body:n===void 0?void 0:JSON.stringify(n)})}catch{throw new h(0,`The server does not answer. Check your connection and try again.`)}if(!i.ok)throw await v(i);return i}};async function v(e){let{detail:t,title:n}=await e.json().catch(()=>null)??{},r=[t,n].find(e=>typeof e==`string`&&e!==``);return new h(e.status,typeof r==`string`?r:`The server answered ${e.status}.`)}var y=1e3,b=class extends u{static properties={bearer:{state:!0},documents:{state:!0},next:{state:!0},filter:{state:!0},loading:{state:!0},problem:{state:!0},doomed:{state:!0},refusal:{state:!0},expired:{state:!0}};#e=new _(``);constructor(){super(),this.bearer=null,this.documents=[],this.next=null,this.filter=``,this.loading=!0,this.problem=``,this.doomed=null,this.refusal=``,this.expired=!1}createRenderRoot(){return this}connectedCallback(){super.connectedCallback(),this.bearer=i(),this.expired=this.bearer===null&&o(),s(),this.bearer!==null&&(this.#e=new _(this.bearer.token),this.#t(),addEventListener(`pageshow`,e=>e.persisted&&this.#t()),document.addEventListener(`visibilitychange`,()=>document.visibilityState===`visible`&&this.#t()))}async#t(){await this.#r(null,[])}async#n(){await this.#r(this.next,this.documents)}async#r(e,t){let n=t,r=e;try{do{let e=await this.#e.list(r);n=[...n,...e.documents],r=e.next}while(r!==null&&n.length<t.length+y);this.documents=n,this.next=r,this.problem=``}catch(e){this.#i(e)}finally{this.loading=!1}}#i(e){if(!(e instanceof h))throw e;e.status===401?(this.bearer=null,this.expired=!0):this.problem=e.message}#a(e){this.filter=e.target.value}get#o(){let e=this.filter.toLocaleLowerCase().split(/\s+/).filter(Boolean);return this.documents.filter(({name:t,title:n})=>{let r=`${n} ${t}`.toLocaleLowerCase();return e.every(e=>r.includes(e))}).sort((e,t)=>Date.parse(t.updated_at)-Date.parse(e.updated_at))}#s(e){return this.querySelector(`#${e}`)}#c(){this.refusal=``,this.#s(`new`).showModal()}async#l(e){e.preventDefault();let t=new FormData(e.target).get(`name`),r=c(String(t??``))||a();try{await this.#e.create(r),location.assign(new URL(n(r),document.baseURI))}catch(e){this.#f(e)}}async#u(e){this.refusal=``,this.doomed=e,await this.updateComplete,this.#s(`delete`).showModal()}async#d(e){e.preventDefault();let{doomed:t}=this;if(t!==null)try{await this.#e.remove(t.name),this.documents=this.documents.filter(e=>e.name!==t.name),this.#s(`delete`).close()}catch(e){this.#f(e)}}#f(e){this.#i(e),[this.refusal,this.problem]=[this.problem,``]}render(){return this.bearer===null?e`<main>${l(this.expired)}</main>`:e`
      <header class="top">
        <span class="brand"><img src=${S()} alt="" width="24" height="24" />collab</span>
        <span class="bearer" title=${`Signed in as ${this.bearer.name}`}>
          <span class="initials" aria-hidden="true">${r(this.bearer.name)}</span>${this.bearer.name}
        </span>
      </header>
      <main class="column">
        <div class="row">
          <h1>Documents</h1>
          <button type="button" class="main" @click=${this.#c}>New document</button>
        </div>
        <input class="search" type="search" placeholder="Search documents" aria-label="Search documents"
          autocomplete="off" .value=${this.filter} @input=${this.#a} />
        ${this.problem===``?t:this.#p()}
        ${this.#m()}
      </main>
      ${this.#_()} ${this.#v()}`}#p(){return e`
      <p class="strip" role="alert">
        <span>${this.problem}</span> <button type="button" @click=${this.#t}>Try again</button>
      </p>`}#m(){let n=this.#o;return n.length===0?e`<p class="empty" role="status">${this.#h()}</p>`:e`
      <ul class="documents">${n.map(e=>this.#g(e))}</ul>
      ${this.next===null?t:e`<button type="button" class="more" @click=${this.#n}>Show more</button>`}`}#h(){return this.loading?`Loading…`:this.problem===``?this.documents.length===0?`No documents yet. Begin with a new one.`:`No document matches.`:``}#g(r){let i=r.title||r.name,a=new Date(r.updated_at);return e`
      <li>
        <a href=${new URL(n(r.name),document.baseURI).href}>
          <span class="name">${i}</span>
          ${i.toLowerCase()===r.name.toLowerCase()?t:e`<span class="aside">${r.name}</span>`}
        </a>
        <time datetime=${r.updated_at} title=${a.toLocaleString()}>${m(a,new Date)}</time>
        <button type="button" class="quiet" aria-label=${`Delete ${i}`} title="Delete"
          @click=${()=>this.#u(r)}>${x}</button>
      </li>`}#_(){return e`
      <dialog id="new" aria-labelledby="new-title">
        <form @submit=${this.#l}>
          <h2 id="new-title">New document</h2>
          <label>Name <input name="name" maxlength="255" autocomplete="off" placeholder="Untitled" autofocus /></label>
          ${this.#y()}
          <div class="buttons">
            <button type="button" @click=${()=>this.#s(`new`).close()}>Cancel</button>
            <button type="submit" class="main">Create</button>
          </div>
        </form>
      </dialog>`}#v(){return e`
      <dialog id="delete" aria-labelledby="delete-title">
        <form @submit=${this.#d}>
          <h2 id="delete-title">Delete “${this.doomed?.title||this.doomed?.name}”?</h2>
          <p>People who have it open cannot go on writing.</p>
          ${this.#y()}
          <div class="buttons">
            <button type="button" autofocus @click=${()=>this.#s(`delete`).close()}>Cancel</button>
            <button type="submit" class="main bad">Delete</button>
          </div>
        </form>
      </dialog>`}#y(){return this.refusal===``?t:e`<p class="refusal" role="alert">${this.refusal}</p>`}},x=e`<svg viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.5"
  stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
  <path d="M4 5.5h12M8 5.5V4h4v1.5M5.5 5.5l.7 10.5h7.600l.7-10.5M8.5 8.5v4.5M11.5 8.5v4.5" /></svg>`;function S(){return document.querySelector(`link[rel="icon"]`)?.href??``}customElements.define(`collab-documents`,b);