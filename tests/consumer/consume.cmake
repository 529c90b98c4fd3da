set(prefix ${WORK}/prefix)
file(REMOVE_RECURSE ${WORK})

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/installed)
file(RENAME ${WORK}/installed ${prefix})  # the package must not know where it was installed

file(GLOB_RECURSE files ${prefix}/*.cmake)
foreach(file IN LISTS files)
  file(READ ${file} text)
  string(FIND "${text}" "${SOURCE}" source)
  if(NOT source EQUAL -1)
    message(FATAL_ERROR "${file} names a folder of the source tree")
  endif()
endforeach()

# programs and plug-ins load nothing from the current folder, the build tree or the source tree
file(GLOB_RECURSE files ${prefix}/${BINDIR}/* ${prefix}/*.so ${prefix}/*cupg-gradcheck)
run(${SOURCE}/tests/elf/check --not-in ${BUILD} --not-in ${SOURCE} ${files})

function(build_project source to)
  run(${CMAKE_COMMAND} -S ${source} -B ${to} -G ${GENERATOR} -D CMAKE_BUILD_TYPE=Release -D CMAKE_CXX_COMPILER=${COMPILER}
    -D CMAKE_PREFIX_PATH=${prefix})
  run(${CMAKE_COMMAND} --build ${to})
endfunction()
build_project(${PROJECT} ${WORK}/build)
run(${WORK}/build/consumer)
if(OPENBLAS)  # a plug-in that lies in the package, not beside the program
  run(${CMAKE_COMMAND} -E env --unset=CUPG_PLUGIN_PATH ${WORK}/build/consumer wide)
endif()
build_project(${EXAMPLES} ${WORK}/examples)
run(${CMAKE_CTEST_COMMAND} --test-dir ${WORK}/examples --output-on-failure --no-tests=error)
run(${prefix}/${BINDIR}/cupg --version)
foreach(file IN ITEMS man/man1/cupg.1 bash-completion/completions/cupg zsh/site-functions/_cupg fish/vendor_completions.d/cupg.fish)
  file(SIZE ${prefix}/${DATAROOTDIR}/${file} size)  # fails where there is none
  if(size LESS 1000)
    message(FATAL_ERROR "${file} has ${size} bytes")
  endif()
endforeach()
