import{S as e,c as t,d as n,i as r,l as i,n as a,p as o,r as s,s as c,t as l,u,w as d,x as f}from"./sign-in-card-BWVo-018.js";var p=[[`minute`,60],[`hour`,3600],[`day`,86400]],m=new Intl.RelativeTimeFormat(`en`,{numeric:`auto`}),h=new Intl.DateTimeFormat(`en`,{dateStyle:`medium`});function g(e,t){let n=(t.getTime()-e.getTime())/1e3;if(Number.isNaN(n))return``;if(n<60)return`just now`;if(n>=604800)return h.format(e);let[r,i]=p.findLast(([,e])=>n>=e)??[`minute`,60];return m.format(-Math.floor(n/i),r)}var _=1e3,v=class extends f{static properties={account:{state:!0},documents:{state:!0},next:{state:!0},filter:{state:!0},loading:{state:!0},problem:{state:!0},toDelete:{state:!0},dialogProblem:{state:!0},expired:{state:!0}};#e=new u(``);constructor(){super(),this.account=null,this.documents=[],this.next=null,this.filter=``,this.loading=!0,this.problem=``,this.toDelete=null,this.dialogProblem=``,this.expired=!1}createRenderRoot(){return this}connectedCallback(){super.connectedCallback(),this.account=r(),this.expired=this.account===null&&a(),s(),this.account!==null&&(this.#e=new u(this.account.token),this.#t(),addEventListener(`pageshow`,e=>e.persisted&&this.#t()),document.addEventListener(`visibilitychange`,()=>document.visibilityState===`visible`&&this.#t()))}async#t(){await this.#r(null,[])}async#n(){await this.#r(this.next,this.documents)}async#r(e,t){let n=t,r=e;try{do{let e=await this.#e.list(r);n=[...n,...e.documents],r=e.next}while(r!==null&&n.length<t.length+_);this.documents=n,this.next=r,this.problem=``}catch(e){this.#i(e)}finally{this.loading=!1}}#i(e){if(!(e instanceof n))throw e;e.status===401?(this.account=null,this.expired=!0):this.problem=e.message}#a(e){this.filter=e.target.value}get#o(){let e=this.filter.toLocaleLowerCase().split(/\s+/).filter(Boolean);return this.documents.filter(({name:t,title:n})=>{let r=`${n} ${t}`.toLocaleLowerCase();return e.every(e=>r.includes(e))}).sort((e,t)=>Date.parse(t.updated_at)-Date.parse(e.updated_at))}#s(e){return this.querySelector(`#${e}`)}#c(){this.dialogProblem=``,this.#s(`new`).showModal()}async#l(e){e.preventDefault();let n=new FormData(e.target).get(`name`),r=c(String(n??``))||i();try{await this.#e.create(r),location.assign(new URL(t(r),document.baseURI))}catch(e){this.#f(e)}}async#u(e){this.dialogProblem=``,this.toDelete=e,await this.updateComplete,this.#s(`delete`).showModal()}async#d(e){e.preventDefault();let{toDelete:t}=this;if(t!==null)try{await this.#e.remove(t.name),this.documents=this.documents.filter(e=>e.name!==t.name),this.#s(`delete`).close()}catch(e){this.#f(e)}}#f(e){this.#i(e),[this.dialogProblem,this.problem]=[this.problem,``]}render(){return this.account===null?d`<main>${l(this.expired)}</main>`:d`
      <header class="top">
        <span class="brand"><img src=${b()} alt="" width="24" height="24" />collab</span>
        <span class="account" title=${`Signed in as ${this.account.name}`}>
          <span class="initials" aria-hidden="true">${o(this.account.name)}</span>${this.account.name}
        </span>
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
      ${this.#_()} ${this.#v()}`}#p(){return d`
      <p class="strip" role="alert">
        <span>${this.problem}</span> <button type="button" @click=${this.#t}>Try again</button>
      </p>`}#m(){let t=this.#o;return t.length===0?d`<p class="empty" role="status">${this.#h()}</p>`:d`
      <ul class="documents">${t.map(e=>this.#g(e))}</ul>
      ${this.next===null?e:d`<button type="button" class="more" @click=${this.#n}>Show more</button>`}`}#h(){return this.loading?`Loading…`:this.problem===``?this.documents.length===0?`No documents yet. Create your first one.`:`No documents match your search.`:``}#g(n){let r=n.title||n.name,i=new Date(n.updated_at);return d`
      <li>
        <a href=${new URL(t(n.name),document.baseURI).href}>
          <span class="name">${r}</span>
          ${r.toLowerCase()===n.name.toLowerCase()?e:d`<span class="aside">${n.name}</span>`}
        </a>
        <time datetime=${n.updated_at} title=${i.toLocaleString()}>${g(i,new Date)}</time>
        <button type="button" class="quiet" aria-label=${`Delete ${r}`} title="Delete"
          @click=${()=>this.#u(n)}>${y}</button>
      </li>`}#_(){return d`
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
      </dialog>`}#v(){return d`
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
      </dialog>`}#y(){return this.dialogProblem===``?e:d`<p class="problem" role="alert">${this.dialogProblem}</p>`}},y=d`<svg viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.5"
  stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
  <path d="M4 5.5h12M8 5.5V4h4v1.5M5.5 5.5l.7 10.5h7.600l.7-10.5M8.5 8.5v4.5M11.5 8.5v4.5" /></svg>`;function b(){return document.querySelector(`link[rel="icon"]`)?.href??``}customElements.define(`collab-documents`,v);