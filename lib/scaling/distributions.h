// The distributions that intervals and tests need. Pure; relative accuracy 1e-10 or better.
#ifndef ETUDE_LIB_SCALING_DISTRIBUTIONS_H_
#define ETUDE_LIB_SCALING_DISTRIBUTIONS_H_

namespace etude {

double NormalDensity(double x);
double NormalCdf(double x);

// Regularised incomplete beta function I_x(a, b); a, b > 0, x in [0, 1].
double IncompleteBeta(double a, double b, double x);

// P(T <= t) and its inverse, p in (0, 1), for Student's t with dof > 0 degrees of freedom.
double StudentTCdf(double t, double dof);
double StudentTQuantile(double p, double dof);

// P(F > f) for F with (numerator, denominator) degrees of freedom; f >= 0.
double FTail(double f, double numerator, double denominator);

// d ln Gamma / dx and its derivative, x > 0.
double Digamma(double x);
double Trigamma(double x);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_DISTRIBUTIONS_H_
