// The few things that the pages do beyond plain links and forms. Without any of this they work the same, only not live.
(function () {
  "use strict";

  // "All of this group": one box that ticks the others, and a count beside the button.
  function held(form) {
    var all = form.querySelector("[data-all]");
    var boxes = Array.prototype.slice.call(form.querySelectorAll("input[name=id]"));
    var count = form.querySelector("[data-count]");
    function show() {
      var ticked = boxes.filter(function (box) { return box.checked; }).length;
      if (all) {
        all.checked = ticked > 0 && ticked === boxes.length;
        all.indeterminate = ticked > 0 && ticked < boxes.length;
      }
      if (count) count.textContent = ticked + " of " + boxes.length + " chosen";
    }
    if (all) {
      all.closest("[hidden]") && all.closest("[hidden]").removeAttribute("hidden");
      all.addEventListener("change", function () {
        boxes.forEach(function (box) { box.checked = all.checked; });
        show();
      });
    }
    boxes.forEach(function (box) { box.addEventListener("change", show); });
    show();
  }

  document.querySelectorAll("form[data-choose]").forEach(held);

  // A filter that is chosen with a pointer applies at once. Whoever goes through the choices with the arrow keys is still
  // choosing, and presses the button.
  document.querySelectorAll("form[data-filter] select").forEach(function (select) {
    var byKey = false;
    select.addEventListener("keydown", function () { byKey = true; });
    select.addEventListener("pointerdown", function () { byKey = false; });
    select.addEventListener("change", function () { if (!byKey) select.form.requestSubmit(); });
  });

  // What somebody presses twice is sent once. A page that the browser brings back can be sent again.
  document.querySelectorAll("form[method=post]").forEach(function (form) {
    form.addEventListener("submit", function (event) {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    });
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-sent]").forEach(function (form) { delete form.dataset.sent; });
  });

  // What was just done is said once, and not again to whoever loads the page anew or gets its address.
  window.addEventListener("load", function () {
    var here = new URL(window.location.href);
    if (document.querySelector(".notice") && (here.searchParams.has("did") || here.searchParams.has("approved"))) {
      here.searchParams.delete("did");
      here.searchParams.delete("approved");
      window.history.replaceState(null, "", here);
    }
  });

  // A journal or a group that somebody has opened stays open when the server sends its next state, and what is wider than the
  // screen stays where it was moved to.
  var open = {};
  var moved = {};
  document.body.addEventListener("htmx:sseBeforeMessage", function (event) {
    event.target.querySelectorAll("details[id]").forEach(function (one) { open[one.id] = one.open; });
    event.target.querySelectorAll(".scroll[id]").forEach(function (one) { moved[one.id] = one.scrollLeft; });
  });
  document.body.addEventListener("htmx:sseMessage", function (event) {
    event.target.querySelectorAll("details[id]").forEach(function (one) {
      if (one.id in open) one.open = open[one.id];
    });
    event.target.querySelectorAll(".scroll[id]").forEach(function (one) {
      if (one.id in moved) one.scrollLeft = moved[one.id];
    });
  });

  // The connection is shown where it matters: a page that stands still must not look as if it moved.
  var live = document.querySelector("[data-live]");
  if (live) {
    document.body.addEventListener("htmx:sseOpen", function () { live.textContent = "live"; live.className = "live on"; });
    document.body.addEventListener("htmx:sseError", function () { live.textContent = "connecting again"; live.className = "live off"; });
    document.body.addEventListener("htmx:sseClose", function () { live.textContent = "not live"; live.className = "live off"; });
  }
})();
