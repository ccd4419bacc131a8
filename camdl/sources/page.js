// Runs in every frame before the page's own scripts: tells when the page has come to rest, what
// its DOM shows, and scrolls it. But for shared workers, nothing here changes what the page does.
(() => {
  if (window.__camdl) return;

  // Nobody is told of the end of what shared workers ask for. Pages do without them on phones.
  delete window.SharedWorker;

  // A one-shot timer up to this long may still bring something; a longer one is a schedule.
  const LONGEST_TIMER_MS = 5000;
  // A timer that is set again whenever it went off is a ticker, once that went on for so long.
  const TICKER_ROUNDS = 2;
  const TICKER_MS = 1000;
  // The same request so many times is a poll, and what changes in so many frames is an animation.
  const POLL = 4;
  const ANIMATED = 40;
  const QUIET_FRAMES = 2;
  // Frames that are not shown may never be drawn.
  const LONGEST_FRAME_MS = 100;
  // By then the network's side of a request is known outside of the page.
  const REQUEST_KNOWN_MS = 500;

  const realSetTimeout = window.setTimeout.bind(window);
  const realAnimationFrame = window.requestAnimationFrame.bind(window);

  const nextFrame = (then) => {
    let isDue = true;
    const once = () => { if (isDue) { isDue = false; then(); } };
    realAnimationFrame(once);
    realSetTimeout(once, LONGEST_FRAME_MS);
  };

  // Timers by id, told apart by what sets them; and how often each was set after it had gone off.
  const timers = new Map();
  const rounds = new Map();
  const tickers = new Set();
  const ticks = ({ times, delay }) => times >= TICKER_ROUNDS && times * delay >= TICKER_MS;
  const isTicker = (kind) => tickers.has(kind) || (rounds.has(kind) && ticks(rounds.get(kind)));

  window.setTimeout = (handler, delay = 0, ...values) => {
    if (typeof handler !== "function" || !(delay <= LONGEST_TIMER_MS)) {
      return realSetTimeout(handler, delay, ...values);
    }
    const kind = `${delay} ${String(handler).slice(0, 200)} ${new Error().stack}`.slice(0, 1000);
    const times = 1 + (rounds.has(kind) ? rounds.get(kind).times : 0);
    const id = realSetTimeout(() => {
      timers.delete(id);
      rounds.set(kind, { times, delay: Math.max(delay, 4) });
      handler.apply(window, values);
    }, delay);
    timers.set(id, kind);
    return id;
  };
  for (const clear of ["clearTimeout", "clearInterval"]) {
    const realClear = window[clear].bind(window);
    window[clear] = (id) => {
      timers.delete(id);
      realClear(id);
    };
  }

  // Requests whose answer has not begun to come. The rest of it is followed outside of the page.
  const requests = new Set();
  const asked = new Map();
  const ask = (request) => {
    const times = (asked.get(request) || 0) + 1;
    asked.set(request, times);
    const ticket = {};
    if (times < POLL) requests.add(ticket);
    return () => { requests.delete(ticket); };
  };
  // An answer of which the page reads no body would never be there to its end.
  const drain = (answer) => {
    if (answer.body) answer.clone().body.pipeTo(new WritableStream()).catch(() => {});
  };
  const realFetch = window.fetch;
  window.fetch = (...request) => {
    const [what, how] = request;
    const answer = realFetch.apply(window, request);
    const method = (how && how.method) || (what && what.method) || "GET";
    const body = how && typeof how.body === "string" ? how.body : "";
    const answered = ask(`${method} ${(what && what.url) || what} ${body}`);
    answer.then(drain).then(answered, answered);
    return answer;
  };
  const opened = new WeakMap();
  const realOpen = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function open(method, url, ...more) {
    opened.set(this, `${method} ${url}`);
    return realOpen.call(this, method, url, ...(more.length ? more : [true]));
  };
  const realSend = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function send(...body) {
    const text = typeof body[0] === "string" ? body[0] : "";
    const answered = ask(`${opened.get(this)} ${text}`);
    this.addEventListener("readystatechange", () => { if (this.readyState > 1) answered(); });
    this.addEventListener("loadend", answered);
    try {
      realSend.apply(this, body);
    } catch (error) {
      answered();
      throw error;
    }
  };

  const EVIDENCE = ["src", "srcset", "href", "style", "data-src", "data-srcset", "data-original"];
  let changes = 0;
  let changedInFrame = new Set();
  const framesChanged = new Map();
  const animated = new WeakSet();
  const watch = (root) => new MutationObserver((mutations) => {
    for (const { target, addedNodes } of mutations) {
      if (!animated.has(target)) changedInFrame.add(target);
      for (const node of addedNodes) {
        if (node.nodeName === "SCRIPT" && node.src) {
          requests.add(node);
          const known = () => { requests.delete(node); };
          node.addEventListener("load", known);
          node.addEventListener("error", known);
          realSetTimeout(known, REQUEST_KNOWN_MS);
        }
      }
    }
    if (changedInFrame.size) changes += 1;
  }).observe(root, {
    subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: EVIDENCE,
  });
  watch(document);
  const realAttachShadow = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function attachShadow(init) {
    const root = realAttachShadow.call(this, init);
    watch(root);
    return root;
  };
  const hasChanged = () => {
    let has = false;
    for (const target of changedInFrame) {
      const frames = (framesChanged.get(target) || 0) + 1;
      framesChanged.set(target, frames);
      if (frames <= ANIMATED) has = true;
    }
    changedInFrame = new Set();
    return has;
  };

  // Resolves when nothing is under way and the DOM has stood still. What went on in vain during
  // the rest before is not waited for any more; if that `brought` something, all is waited for
  // again; null goes on with that rest.
  const rest = (brought) => new Promise((done) => {
    if (brought === true) asked.clear();
    if (brought === false) {
      for (const [kind, round] of rounds) if (ticks(round)) tickers.add(kind);
      for (const [target, frames] of framesChanged) if (frames > ANIMATED) animated.add(target);
    }
    if (brought !== null) {
      rounds.clear();
      framesChanged.clear();
    }
    let quiet = 0;
    const look = () => {
      const isBusy = hasChanged() || requests.size > 0 || document.readyState !== "complete"
        || ![...timers.values()].every(isTicker);
      quiet = isBusy ? 0 : quiet + 1;
      if (quiet >= QUIET_FRAMES) done(true); else nextFrame(look);
    };
    nextFrame(look);
  });

  // Resolves at the next change of the DOM.
  const change = () => new Promise((done) => {
    const seen = changes;
    const look = () => { if (changes !== seen) done(true); else nextFrame(look); };
    look();
  });

  const told = new Set();
  // What the DOM shows and was not told before: attributes, texts and inline scripts, a line each.
  const show = () => {
    const fresh = [];
    const tell = (value) => {
      if (value && /\d/.test(value) && !told.has(value)) {
        told.add(value);
        fresh.push(value);
      }
    };
    const walk = (root) => {
      for (const element of root.querySelectorAll("*")) {
        for (const attribute of element.attributes) tell(attribute.value);
        if (element.shadowRoot) walk(element.shadowRoot);
      }
      const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_COMMENT);
      while (texts.nextNode()) tell(texts.currentNode.data);
    };
    walk(document);
    return fresh.join("\n");
  };

  const everything = function* everything(root) {
    for (const element of root.querySelectorAll("*")) {
      yield element;
      if (element.shadowRoot) yield* everything(element.shadowRoot);
    }
  };
  const scrolls = (element, overflow) =>
    element === document.scrollingElement || /auto|scroll|overlay/.test(overflow);
  const AXES = [
    ["scrollTop", "scrollHeight", "clientHeight", "overflowY"],
    ["scrollLeft", "scrollWidth", "clientWidth", "overflowX"],
  ];
  let stuck = new WeakMap();

  // Scrolls on by most of a screen whatever has not reached its end; false when everything has.
  const scroll = () => {
    for (const element of everything(document)) {
      for (const [offset, content, screen, overflow] of AXES) {
        const left = element[content] - element[screen] - Math.abs(element[offset]);
        if (left <= 1 || element[screen] === 0 || (stuck.get(element) || []).includes(offset)) continue;
        if (!scrolls(element, getComputedStyle(element)[overflow])) continue;
        if (element !== document.scrollingElement) element.scrollIntoView({ block: "nearest" });
        const before = element[offset];
        const direction = offset === "scrollLeft" && getComputedStyle(element).direction === "rtl" ? -1 : 1;
        element.scrollTo({
          [offset === "scrollTop" ? "top" : "left"]: before + direction * element[screen] * 0.8,
          behavior: "instant",
        });
        if (element[offset] !== before) return true;
        stuck.set(element, [...(stuck.get(element) || []), offset]);
      }
    }
    return false;
  };
  const rewind = () => {
    stuck = new WeakMap();
    for (const element of everything(document)) {
      if (element.scrollTop) element.scrollTop = 0;
      if (element.scrollLeft) element.scrollLeft = 0;
    }
  };

  Object.defineProperty(window, "__camdl", {
    value: Object.freeze({ rest, change, show, scroll, rewind }),
  });
})();
