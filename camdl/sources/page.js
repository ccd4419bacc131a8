// Runs in every frame before the page's own scripts: tells when the page has come to rest, what
// its DOM shows, and scrolls it. Nothing here changes what the page does.
(() => {
  if (window.__camdl) return;

  // A one-shot timer up to this long may still bring something; a longer one is a schedule.
  const LONGEST_TIMER_MS = 5000;
  // What goes off or changes this often while nobody touches the page is a ticker or an animation.
  const TICKER = 3;
  const ANIMATED = 40;
  const QUIET_FRAMES = 2;

  const realSetTimeout = window.setTimeout.bind(window);
  const realClearTimeout = window.clearTimeout.bind(window);
  const nextFrame = window.requestAnimationFrame.bind(window);

  const timers = new Set();
  const tickers = new Set();
  let fired = new Map();
  let requests = 0;
  let changes = 0;
  let changed = new WeakMap();
  const scripts = new Set();

  window.setTimeout = (handler, delay = 0, ...values) => {
    const kind = `${delay}|${String(handler).slice(0, 200)}`;
    if (typeof handler !== "function" || !(delay <= LONGEST_TIMER_MS) || tickers.has(kind)) {
      return realSetTimeout(handler, delay, ...values);
    }
    const id = realSetTimeout(() => {
      timers.delete(id);
      const times = (fired.get(kind) || 0) + 1;
      fired.set(kind, times);
      if (times >= TICKER) tickers.add(kind);
      handler.apply(window, values);
    }, delay);
    timers.add(id);
    return id;
  };
  window.clearTimeout = (id) => {
    timers.delete(id);
    realClearTimeout(id);
  };

  const answered = () => { requests -= 1; };
  const realFetch = window.fetch;
  if (realFetch) {
    window.fetch = (...request) => {
      const answer = realFetch.apply(window, request);
      requests += 1;
      answer.then(answered, answered);
      return answer;
    };
  }
  const realSend = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function send(...body) {
    realSend.apply(this, body);
    requests += 1;
    this.addEventListener("loadend", answered, { once: true });
  };

  const EVIDENCE = ["src", "srcset", "href", "style", "data-src", "data-srcset", "data-original"];
  const watch = (root) => new MutationObserver((mutations) => {
    for (const { target, addedNodes } of mutations) {
      const times = (changed.get(target) || 0) + 1;
      changed.set(target, times);
      if (times <= ANIMATED) changes += 1;
      for (const node of addedNodes) {
        if (node.nodeName === "SCRIPT" && node.src) {
          scripts.add(node);
          const loaded = () => scripts.delete(node);
          node.addEventListener("load", loaded);
          node.addEventListener("error", loaded);
        }
      }
    }
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

  // Resolves when nothing is under way and the DOM has stood still.
  const rest = () => new Promise((done) => {
    fired = new Map();
    changed = new WeakMap();
    let quiet = 0;
    let seen = changes;
    const look = () => {
      const busy = timers.size || requests || scripts.size || changes !== seen;
      seen = changes;
      quiet = busy || document.readyState !== "complete" ? 0 : quiet + 1;
      if (quiet >= QUIET_FRAMES) done(); else nextFrame(look);
    };
    nextFrame(look);
  });

  // Resolves at the next change of the DOM.
  const change = () => new Promise((done) => {
    const seen = changes;
    const look = () => { if (changes !== seen) done(); else nextFrame(look); };
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
