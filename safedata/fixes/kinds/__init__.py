"""One kind of fix in each module, which has a function `propose`: see `safedata.fixes.case.Kind`."""
