import{A as e,M as t,O as n,a as r,c as i,d as a,h as o,i as s,k as c,l,m as u,n as d,o as f,p,s as m,t as h,u as g}from"./sign-in-card-B3wjhspc.js";var _=[[`minute`,60],[`hour`,3600],[`day`,86400]],v=new Intl.RelativeTimeFormat(`en`,{numeric:`auto`}),y=new Intl.DateTimeFormat(`en`,{dateStyle:`medium`});function b(e,t){let n=(t.getTime()-e.getTime())/1e3;if(Number.isNaN(n))return``;if(n<60)return`just now`;if(n>=604800)return y.format(e);let[r,i]=_.findLast(([,e])=>n>=e)??[`minute`,60];return v.format(-Math.floor(n/i),r)}var x=1e3,S=class extends c{static properties={account:{state:!0},documents:{state:!0},next:{state:!0},filter:{state:!0},loading:{state:!0},problem:{state:!0},toDelete:{state:!0},dialogProblem:{state:!0},expired:{state:!0}};#e=new u(``);constructor(){super(),this.account=null,this.documents=[],this.next=null,this.filter=``,this.loading=!0,this.problem=``,this.toDelete=null,this.dialogProblem=``,this.expired=!1}createRenderRoot(){return this}connectedCallback(){if(super.connectedCallback(),this.account=a(),this.expired=this.account===null&&l(),g(),this.account===null)return;let{token:e}=this.account;this.#e=new u(()=>i()?.token??e),d(),addEventListener(`collab-signed-out`,p),this.#t(),addEventListener(`pageshow`,e=>e.persisted&&this.#t()),document.addEventListener(`visibilitychange`,()=>document.visibilityState===`visible`&&this.#t())}async#t(){await this.#r(null,[])}async#n(){await this.#r(this.next,this.documents)}async#r(e,t){let n=t,r=e;try{do{let e=await this.#e.list(r);n=[...n,...e.documents],r=e.next}while(r!==null&&n.length<t.length+x);this.documents=n,this.next=r,this.problem=``}catch(e){this.#i(e)}finally{this.loading=!1}}#i(e){if(!(e instanceof o))throw e;e.status===401?(this.account=null,this.expired=!0):this.problem=e.message}#a(e){this.filter=e.target.value}get#o(){let e=this.filter.toLocaleLowerCase().split(/\s+/).filter(Boolean);return this.documents.filter(({name:t,title:n})=>{let r=`${n} ${t}`.toLocaleLowerCase();return e.every(e=>r.includes(e))}).sort((e,t)=>Date.parse(t.updated_at)-Date.parse(e.updated_at))}#s(e){return this.querySelector(`#${e}`)}#c(){this.dialogProblem=``,this.#s(`new`).showModal()}async#l(e){e.preventDefault();let t=new FormData(e.target).get(`name`),i=s(String(t??``))||f(),a=m(i,n(this.account?.token??``).grants);try{await this.#e.create(a),location.assign(new URL(r(a),document.baseURI))}catch(e){this.#f(e)}}async#u(e){this.dialogProblem=``,this.toDelete=e,await this.updateComplete,this.#s(`delete`).showModal()}async#d(e){e.preventDefault();let{toDelete:t}=this;if(t!==null)try{await this.#e.remove(t.name),this.documents=this.documents.filter(e=>e.name!==t.name),this.#s(`delete`).close()}catch(e){this.#f(e)}}#f(e){this.#i(e),[this.dialogProblem,this.problem]=[this.problem,``]}render(){return this.account===null?t`<main>${h(this.expired)}</main>`:t`
      <header class="top">
        <span class="brand"><img src=${w()} alt="" width="24" height="24" />collab</span>
        <collab-account-menu named></collab-account-menu>
      </header>
      <main class="column">
        <div class="row">
          <h1>Documents</h1>
          <button type="button" class="main" @click=${this.#c}>New document</button>
        </div>
        <input class="search" type="search" placeholder="Search documents" aria-label="Search documents"
          autocomplete="off" .value=${this.filter} @input=${this.#a} />
        ${this.problem===``?e:this.#p()}
        ${this.#m()}
      </main>
      ${this.#_()} ${this.#v()}`}#p(){return t`
      <p class="strip" role="alert">
        <span>${this.problem}</span> <button type="button" @click=${this.#t}>Try again</button>
      </p>`}#m(){let n=this.#o;return n.length===0?t`<p class="empty" role="status">${this.#h()}</p>`:t`
      <ul class="documents">${n.map(e=>this.#g(e))}</ul>
      ${this.next===null?e:t`<button type="button" class="more" @click=${this.#n}>Show more</button>`}`}#h(){return this.loading?`Loading…`:this.problem===``?this.documents.length===0?`No documents yet. Create your first one.`:`No documents match your search.`:``}#g(n){let i=n.title||n.name,a=new Date(n.updated_at);return t`
      <li>
        <a href=${new URL(r(n.name),document.baseURI).href}>
          <span class="name">${i}</span>
          ${i.toLowerCase()===n.name.toLowerCase()?e:t`<span class="aside">${n.name}</span>`}
        </a>
        <time datetime=${n.updated_at} title=${a.toLocaleString()}>${b(a,new Date)}</time>
        <button type="button" class="quiet" aria-label=${`Delete ${i}`} title="Delete"
          @click=${()=>this.#u(n)}>${C}</button>
      </li>`}#_(){return t`
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
      </dialog>`}#v(){return t`
      <dialog id="delete" aria-labelledby="delete-title">
        <form @submit=${this.#d}>
          <h2 id="delete-title">Delete “${this.toDelete?.title||this.toDelete?.name}”?</h2>
          <p>It will be deleted for everyone. You cannot undo this.</p>
          ${this.#y()}
          <div class="buttons">
            <button type="button" autofocus @click=${()=>this.#s(`delete`).close()}>Cancel</button>
            <button type="submit" class="main bad">Delete</button>
          </div>
        </form>
      </dialog>`}#y(){return this.dialogProblem===``?e:t`<p class="problem" role="alert">${this.dialogProblem}</p>`}},C=t`<svg viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.5"
  stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
  <path d="M4 5.5h12M8 5.5V4h4v1.5M5.5 5.5l.7 10.5h7.600l.7-10.5M8.5 8.5v4.5M11.5 8.5v4.5" /></svg>`;function w(){return document.querySelector(`link[rel="icon"]`)?.href??``}customElements.define(`collab-documents`,S);