// Keeps an open page up to date, and the keyboard. Pages are whole without it.
(() => {
  "use strict";
  const banner = document.getElementById("gone");
  const made = document.getElementById("made");
  let stream = null;
  let last = made ? made.textContent : "";

  const tell = (text) => {
    if (!banner) return;
    banner.hidden = !text;
    if (banner.textContent !== text) banner.textContent = text;
  };

  // What a person has opened stays open, also after the page is loaded again.
  const memory = (id) => `panel:${location.pathname}:${id}`;
  const restore = (root) => {
    for (const panel of root.querySelectorAll("details[id]")) {
      const kept = sessionStorage.getItem(memory(panel.id));
      if (kept !== null) panel.open = kept === "open";
    }
  };
  document.addEventListener("toggle", (event) => {
    const panel = event.target;
    if (panel.matches && panel.matches("details[id]")) sessionStorage.setItem(memory(panel.id), panel.open ? "open" : "closed");
  }, true);

  // The place of an element among those that can have the focus, for one that has no id.
  const focusable = (root) => [...root.querySelectorAll("a[href],button,input,select,textarea,summary,.scroll[tabindex],pre[tabindex]")];

  // Whatever scrolls is scrolled by keyboard too, in browsers that do not see to it themselves; what fits is no stop of Tab.
  const reachable = (root) => {
    for (const box of root.querySelectorAll(".scroll,pre")) {
      const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
      if (scrolls) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };

  const swap = (name, html) => {
    const old = document.getElementById(name);
    if (!old || !old.hasAttribute("data-live")) return;
    // What is being written is not taken away.
    const active = old.contains(document.activeElement) ? document.activeElement : null;
    if (active && active.matches("input:not([type=checkbox]):not([type=radio]),textarea,select")) return;
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && old.contains(selection.anchorNode)) return;
    const place = active ? focusable(old).indexOf(active) : -1;
    const checked = [...old.querySelectorAll("input:checked")].map((box) => `${box.name}=${box.value}`);
    const scrolled = [...old.querySelectorAll(".scroll,.tall")].map((box) => [box.scrollLeft, box.scrollTop]);
    old.innerHTML = html;
    restore(old);
    reachable(old);
    for (const box of old.querySelectorAll("input[type=checkbox],input[type=radio]")) {
      if (checked.includes(`${box.name}=${box.value}`)) box.checked = true;
    }
    old.querySelectorAll(".scroll,.tall").forEach((box, number) => {
      if (scrolled[number]) [box.scrollLeft, box.scrollTop] = scrolled[number];
    });
    if (place >= 0) {
      const again = (active.id && document.getElementById(active.id)) || focusable(old)[place];
      if (again) again.focus({ preventScroll: true });
    }
  };

  const written = () => [...document.querySelectorAll("main input:not([type=checkbox]):not([type=radio]),main textarea")]
    .some((field) => field.type !== "hidden" && field.value !== field.defaultValue);

  const open = () => {
    if (stream || document.hidden || !document.querySelector("[data-live]")) return;
    stream = new EventSource(location.pathname + location.search);
    stream.addEventListener("fragment", (event) => {
      const end = event.data.indexOf("\n");
      swap(event.data.slice(0, end), event.data.slice(end + 1));
    });
    stream.addEventListener("made", (event) => {
      last = `data from ${event.data}\u00a0UTC`;
      if (made) made.textContent = last;
      tell("");
    });
    stream.addEventListener("gone", (event) => tell(`${last}: ${event.data}`));
    stream.addEventListener("signed-out", () => {
      close();
      // Whoever has signed in again comes back to this page. What is being written is not taken away.
      if (written()) tell("Your session is over: nothing can be sent from this page. Copy what you have written, and load the page again to sign in.");
      else location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
    });
    stream.addEventListener("error", () => {
      tell(`${last}, reconnecting`);
      // A browser gives up after an answer that is no stream; this does not.
      if (stream && stream.readyState === EventSource.CLOSED) {
        close();
        setTimeout(open, 5000);
      }
    });
  };
  const close = () => {
    if (stream) stream.close();
    stream = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);

  // Keys: `?` shows them.
  const pages = { r: "/runs", w: "/workers", d: "/dead-letters" };
  let before = "";
  const step = (by) => {
    const links = [...document.querySelectorAll("main tbody th a[href]")];
    const at = links.indexOf(document.activeElement);
    const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
    if (next) next.focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input,textarea,select,dialog")) return;
    const key = event.key;
    if (before === "g" && pages[key] && document.querySelector(`header a[href="${pages[key]}"]`)) location.assign(pages[key]);
    else if (key === "?") document.getElementById("keys")?.showModal();
    else if (key === "j") step(1);
    else if (key === "k") step(-1);
    else if (key === "/") {
      const search = document.querySelector("input[type=search]");
      if (search) { event.preventDefault(); search.focus(); }
    }
    before = key;
  });

  restore(document);
  reachable(document);
  addEventListener("resize", () => reachable(document));
  open();
})();
