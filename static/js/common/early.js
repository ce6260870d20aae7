// Runs before the page is painted: with JavaScript the form sends itself.
document.documentElement.classList.replace("no-js", "js");
